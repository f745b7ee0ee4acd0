"""Hashed weights in a network."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.base import BadChoice, Data, MethodError
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.surgery.edit import difference
from methods.graph.values import value_of
from methods.hashing import Hashing
from methods.numerics.hashing import hashed
from tests.zoo.catalogue import network

NONE = Data((torch.zeros(0),))


@pytest.mark.seed("hashednets")
@pytest.mark.parametrize("share", [0.5, 0.125, 1 / 64])
def test_a_weight_takes_values_of_its_buckets_only(share: float) -> None:
    """K of them, up to the sign; the same seed gives the same weight, another one another."""
    graph = capture(*network("plain"))
    made = [Hashing(seed).apply(graph, {"weight:fc1": share}, NONE) for seed in (3, 3, 4)]
    weights = [next(value_of(g, u.node.args[1]) for u in g.weight_uses() if u.site == "weight:fc1") for g in made]
    buckets = made[0].tensor("fc1.weight.buckets").detach()
    assert buckets.numel() == round(share * 20 * 192)
    assert set(weights[0].abs().reshape(-1).tolist()) <= set(buckets.abs().tolist())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.seed("hashednets")
def test_gradients_add_up_at_the_buckets() -> None:
    """The gradient of a bucket is the sum over its members, with their signs."""
    graph = capture(*network("plain"))
    made = Hashing().apply(graph, {"weight:fc1": 0.1}, NONE)
    twin = graph.clone()
    with torch.no_grad():
        twin.tensor("fc1.weight").copy_(Hashing().project(graph.tensor("fc1.weight"), 0.1))
    for each in (made, twin):
        each(*graph.example(4))[0].square().sum().backward()
    places = hashed((20, 192), 384, 0)
    signed = (twin.tensor("fc1.weight").grad * torch.from_numpy(places.signs)).reshape(-1)
    expected = torch.zeros(384).index_add_(0, torch.from_numpy(places.indices).reshape(-1), signed)
    torch.testing.assert_close(made.tensor("fc1.weight.buckets").grad, expected)


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple), st.floats(0.01, 0.99), st.integers(0, 15))
def test_projecting_twice_is_projecting_once(shape: tuple[int, ...], share: float, seed: int) -> None:
    """On weights of any shape."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    made = Hashing(seed).project(weight, share)
    torch.testing.assert_close(Hashing(seed).project(made, share), made)


def test_the_hash_is_not_stored() -> None:
    """One number for sixteen weights of a layer that is four fifths of the network; the file comes back the same."""
    graph = capture(*network("plain"))
    made = Hashing().apply(graph, {"weight:fc1": 1 / 16}, NONE)
    assert packed_bytes(made) < packed_bytes(graph) / 3
    assert difference(made, from_bytes(to_bytes(made)), graph.example(3)) == 0


def test_what_can_not_be_hashed_is_refused() -> None:
    """Shares outside (0, 1], and seeds that a file does not know."""
    graph = capture(*network("plain"))
    with pytest.raises(BadChoice, match=r"hashing at weight:fc1 takes a share above 0"):
        Hashing().apply(graph, {"weight:fc1": 0.0}, NONE)
    with pytest.raises(MethodError, match=r"hashing takes a seed of 0 to 15, not 16"):
        Hashing(16)
