"""Circulant weights in a network."""

from __future__ import annotations

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.device import Device
from methods.base import BadChoice, Data, MethodError, Value
from methods.circulant import WHOLE, Circulant
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.surgery.edit import difference
from methods.graph.values import value_of
from methods.numerics.circulant import blocks_shape, product, random_flips
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
NONE = Data((torch.zeros(0),))


@pytest.mark.seed("circulant-projection")
@pytest.mark.parametrize("value", [2, 16, WHOLE])
def test_a_layer_is_what_the_fast_product_computes(value: Value) -> None:
    """From the parameters in the graph, to 1e-5, the bias apart; there are as many as its blocks have columns."""
    graph = Circulant().apply(capture(*network("plain")), {"weight:fc1": value}, NONE)
    columns, block = graph.tensor("fc1.weight.circulant").detach(), 192 if value == WHOLE else int(value)
    shape = blocks_shape((20, 192), block)
    assert columns.numel() == prod(shape)
    weight = next(value_of(graph, u.node.args[1]) for u in graph.weight_uses() if u.site == "weight:fc1")
    inputs = torch.randn(4, 192)
    fast = product(columns.reshape(shape), inputs, random_flips(192, 0), 20)
    torch.testing.assert_close(fast, inputs @ weight.T, atol=1e-5, rtol=1e-5)


@pytest.mark.seed("circulant-projection")
def test_a_square_layer_as_one_block_has_one_parameter_for_each_side() -> None:
    """d for d x d, and the bias besides."""
    graph = capture(torch.nn.Linear(24, 24), torch.zeros(1, 24))
    made = Circulant().apply(graph, {next(iter(Circulant().space(graph, DEVICE).sites)): WHOLE}, NONE)
    assert sorted(p.numel() for p in made.module.parameters()) == [24, 24]


@given(st.lists(st.integers(2, 9), min_size=2, max_size=4).map(tuple), st.sampled_from([2, WHOLE]), st.booleans())
def test_projecting_twice_is_projecting_once(shape: tuple[int, ...], value: Value, flips: bool) -> None:
    """And comes no further from the weight than anything else of the form: here, than zero."""
    weight, method = torch.randn(shape, generator=torch.Generator().manual_seed(prod(shape))), Circulant(flips)
    made = method.project(weight, value)
    torch.testing.assert_close(method.project(made, value), made)
    assert float((weight - made).square().sum()) <= float(weight.square().sum()) + 1e-5


def test_gradients_add_up_along_the_wrapped_diagonals() -> None:
    """With the signs of the inputs."""
    graph = capture(*network("plain"))
    made = Circulant().apply(graph, {"weight:fc1": 4}, NONE)
    twin = graph.clone()
    with torch.no_grad():
        twin.tensor("fc1.weight").copy_(Circulant().project(graph.tensor("fc1.weight"), 4))
    for each in (made, twin):
        each(*graph.example(4))[0].square().sum().backward()
    signed = (twin.tensor("fc1.weight").grad * random_flips(192, 0)).reshape(-1)
    index = made.tensor("fc1.weight.indices").long()
    found = made.tensor("fc1.weight.circulant").grad
    torch.testing.assert_close(found, torch.zeros_like(found).index_add_(0, index, signed))


def test_only_the_columns_are_stored() -> None:
    """Blocks of 64 for a weight of 20 x 192, four fifths of the network: neither indices nor signs are in the file."""
    graph = capture(*network("plain"))
    made = Circulant().apply(graph, {"weight:fc1": 64}, NONE)
    assert packed_bytes(made) < packed_bytes(graph) / 3
    assert difference(made, from_bytes(to_bytes(made)), graph.example(3)) == 0


def test_blocks_that_save_nothing_are_not_offered() -> None:
    """A filter of one channel has as many numbers as its columns."""
    sites = Circulant().space(capture(*network("depthwise")), DEVICE).sites
    assert "weight:depth" not in sites
    assert sites["weight:expand"] == (0, 2, 4, 8)


@pytest.mark.parametrize("value", [1, 3, 2.0, "half", -2, True])
def test_a_block_that_can_not_be_is_refused(value: Value) -> None:
    """With what may be."""
    with pytest.raises(BadChoice, match=r"circulant at weight:fc1 takes a block of 2, 4, 8"):
        Circulant().apply(capture(*network("plain")), {"weight:fc1": value}, NONE)


def test_a_block_larger_than_the_weight_is_refused() -> None:
    """With the site and the largest."""
    with pytest.raises(MethodError, match=r"weight:fc2 with 64: .*\(5, 20\) takes circulant blocks of 1 to 20"):
        Circulant().apply(capture(*network("plain")), {"weight:fc2": 64}, NONE)


@pytest.mark.parametrize("settings", [{"flips": 1}, {"seed": -1}, {"seed": "x"}])
def test_settings_that_can_not_be_are_refused(settings: dict[str, object]) -> None:
    """With what may be."""
    with pytest.raises(MethodError, match="circulant takes flips true or false and a seed from 0"):
        Circulant(**settings)  # type: ignore[arg-type]
