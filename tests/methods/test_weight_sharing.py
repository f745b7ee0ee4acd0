"""Weight sharing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.device import Device
from methods.base import BadChoice, Data, MethodError
from methods.graph.file import from_bytes, packed_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.edit import difference
from methods.graph.surgery.forms import mask_weight
from methods.graph.values import value_of
from methods.weight_sharing import WeightSharing
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
NONE = Data((torch.zeros(0),))
SHAPES = st.lists(st.integers(1, 6), min_size=2, max_size=4).map(tuple)


def weight_at(graph: Graph, site: str) -> torch.Tensor:
    """The weight that the layer at `site` computes with."""
    return next(value_of(graph, use.node.args[1]) for use in graph.weight_uses() if use.site == site)


def masked(mask: torch.Tensor) -> Graph:
    """The plain network with a mask on fc1."""
    graph = capture(*network("plain"))
    mask_weight(graph, next(u for u in graph.weight_uses() if u.site == "weight:fc1"), mask)
    return graph


@pytest.mark.seed("kmeans-vq")
@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize("solver", ["fast", "sampled", "exact"])
def test_a_weight_has_no_more_values_than_its_codebook(bits: int, solver: str) -> None:
    """And each is the centre nearest to what it was."""
    graph = capture(*network("plain"))
    shared = WeightSharing(solver=solver).apply(graph, {"weight:fc1": bits}, NONE)
    book, indices = shared.tensor("fc1.weight.codebook").detach(), shared.tensor("fc1.weight.indices")
    assert book.numel() <= 2**bits
    old = graph.tensor("fc1.weight").detach().reshape(-1, 1)
    assert float(((old - book[indices.long()][:, None]).abs() - (old - book).abs().amin(1, keepdim=True)).max()) < 1e-6


@pytest.mark.seed("kmeans-vq")
@given(SHAPES, st.integers(1, 8), st.sampled_from(["fast", "sampled", "exact"]), st.integers(0, 99))
def test_projecting_gives_few_values_the_same_every_time(
    shape: tuple[int, ...], bits: int, solver: str, seed: int
) -> None:
    """At most 2^bits; the same seed gives the same; what is shared already stays, and so does a small weight."""
    method, weight = WeightSharing(solver, seed=seed), torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    shared = method.project(weight, bits)
    assert len(shared.unique()) <= 2**bits
    assert torch.equal(shared, method.project(weight, bits))
    assert torch.equal(shared, method.project(shared, bits))
    assert weight.numel() > 2**bits or torch.equal(shared, weight)


def test_gradients_of_shared_weights_add_up_at_the_codebook() -> None:
    """As in the paper: the gradient of a centre is the sum over its weights."""
    graph = capture(*network("plain"))
    shared = WeightSharing().apply(graph, {"weight:fc2": 2}, NONE)
    twin = graph.clone()
    indices = shared.tensor("fc2.weight.indices").long()
    with torch.no_grad():
        twin.tensor("fc2.weight").copy_(shared.tensor("fc2.weight.codebook")[indices].reshape(5, 20))
    for each in (shared, twin):
        each(*graph.example(4))[0].square().sum().backward()
    expected = torch.zeros(4).index_add_(0, indices, twin.tensor("fc2.weight").grad.reshape(-1))
    torch.testing.assert_close(shared.tensor("fc2.weight.codebook").grad, expected)


def test_masked_weights_stay_zero_and_have_no_say() -> None:
    """The codebook is that of the kept weights alone, and training moves it as if the others were not there."""
    mask = torch.rand(20, 192, generator=torch.Generator().manual_seed(0)) < 0.3
    graph = masked(mask)
    shared = WeightSharing().apply(graph, {"weight:fc1": 3}, NONE)
    weight = weight_at(shared, "weight:fc1")
    assert bool((weight[~mask] == 0).all())
    kept = weight_at(graph, "weight:fc1")[mask]
    torch.testing.assert_close(weight[mask], WeightSharing().project(kept[None], 3)[0])
    shared(*graph.example(4))[0].square().sum().backward()
    with torch.no_grad():
        shared.tensor("fc1.weight.codebook").sub_(shared.tensor("fc1.weight.codebook").grad)
    assert bool((weight_at(shared, "weight:fc1")[~mask] == 0).all())


def test_a_weight_of_which_nothing_is_kept_needs_one_value() -> None:
    """Zero, and the network runs."""
    shared = WeightSharing().apply(masked(torch.zeros(20, 192, dtype=torch.bool)), {"weight:fc1": 3}, NONE)
    shared.check()
    assert shared.tensor("fc1.weight.codebook").numel() == 1
    assert not weight_at(shared, "weight:fc1").any()


@pytest.mark.seed("kmeans-vq")
@pytest.mark.parametrize("length", [2, 3, 8])
def test_an_index_may_stand_for_several_weights(length: int) -> None:
    """At most 2^bits different rows of weights; plan, graph and file agree, and training moves the codebook."""
    graph, method = capture(*network("plain")), WeightSharing(length=length)
    shared = method.apply(graph, {"weight:fc1": 4}, NONE)
    rows = weight_at(shared, "weight:fc1").reshape(-1, length)
    assert len(rows.unique(dim=0)) <= 16
    torch.testing.assert_close(rows.reshape(20, 192), method.project(graph.tensor("fc1.weight"), 4))
    planned = [op.stored_bits for o in lower(graph).ops for op in method.rewrite(o, {"weight:fc1": 4})]
    assert planned == [op.stored_bits for op in lower(shared).ops]
    assert difference(shared, from_bytes(to_bytes(shared)), graph.example(3)) == 0
    shared(*graph.example(4))[0].square().sum().backward()
    assert shared.tensor("fc1.weight.codebook").grad.shape == (16, length)


def test_rows_that_a_length_does_not_divide_are_left_alone() -> None:
    """192 inputs are no multiple of five: not offered, and refused with the reason."""
    graph = capture(*network("plain"))
    assert "weight:fc1" not in WeightSharing(length=5).space(graph, DEVICE).sites
    with pytest.raises(MethodError, match=r"weight:fc1 .*sub-vectors of 5 don't divide"):
        WeightSharing(length=5).apply(graph, {"weight:fc1": 4}, NONE)


def test_transposed_convolutions_share_too() -> None:
    """And files that hold them come back the same."""
    graph = capture(*network("generator"))
    choices = {site: values[1] for site, values in WeightSharing().space(graph, DEVICE).sites.items()}
    shared = WeightSharing().apply(graph, choices, NONE)
    uses = {use.weight for use in shared.weight_uses() if "transpose" in str(use.node.target)}
    assert uses
    assert all(name.endswith(".codebook") for name in uses)
    assert difference(shared, from_bytes(to_bytes(shared)), graph.example(2)) == 0


def test_a_constant_weight_is_kept_as_it_is() -> None:
    """With one value."""
    graph = capture(*network("plain"))
    with torch.no_grad():
        graph.tensor("fc1.weight").fill_(0.25)
    shared = WeightSharing().apply(graph, {"weight:fc1": 4}, NONE)
    assert shared.tensor("fc1.weight.codebook").tolist() == [0.25]
    assert difference(graph, shared, graph.example(2)) == 0


def test_files_get_smaller_and_come_back_the_same() -> None:
    """Three bits for every large weight: less than a fifth of the file, and not a bit different when read again."""
    graph = capture(*network("plain"))
    shared = WeightSharing().apply(graph, {"weight:conv2": 3, "weight:fc1": 3}, NONE)
    again = from_bytes(to_bytes(shared))
    assert difference(shared, again, graph.example(3)) == 0
    assert packed_bytes(shared) - packed_bytes(again) == 0
    assert packed_bytes(shared) < packed_bytes(graph) * 0.45


@pytest.mark.seed("kmeans-vq")
@pytest.mark.parametrize("bits", [1, 5, 8])
def test_a_file_holds_an_index_for_each_weight_and_the_codebook(bits: int) -> None:
    """n log2 k + 32 k bits, and less than a kilobyte for the graph, for weights that no code makes any shorter."""
    graph = capture(torch.nn.Linear(256, 256, bias=False), torch.zeros(1, 256))
    with torch.no_grad():
        graph.tensor("weight").uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    shared = WeightSharing().apply(graph, dict.fromkeys(WeightSharing().space(graph, DEVICE).sites, bits), NONE)
    assert 0 <= packed_bytes(shared) - (256 * 256 * bits + 32 * 2**bits) / 8 < 1024


def test_widths_that_save_nothing_are_not_offered() -> None:
    """A codebook of 256 values is no help for 72 weights."""
    sites = WeightSharing().space(capture(*network("plain")), DEVICE).sites
    assert sites["weight:conv1"] == (0, 5, 4, 3, 2)
    assert sites["weight:fc1"] == (0, 8, 6, 5, 4, 3, 2)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    """With its site."""
    graph = capture(*network("plain"))
    with torch.no_grad():
        graph.tensor("fc1.weight")[0, 0] = float("inf")
    with pytest.raises(MethodError, match=r"weight:fc1 holds 1 numbers that are NaN or infinite"):
        WeightSharing().apply(graph, {"weight:fc1": 4}, NONE)


def test_a_width_that_can_not_be_is_refused() -> None:
    """With the site and what may be."""
    with pytest.raises(BadChoice, match=r"weight:fc1 takes 1 to 8 bits.*not 9"):
        WeightSharing().apply(capture(*network("plain")), {"weight:fc1": 9}, NONE)


@pytest.mark.parametrize(
    "settings", [{"solver": "best"}, {"sample": 0.0}, {"sample": "all"}, {"length": 0}, {"length": 1.5}, {"seed": -1}]
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, object]) -> None:
    """With what may be, before any graph is seen."""
    with pytest.raises(MethodError, match=f"weight-sharing takes a .*{next(iter(settings))}"):
        WeightSharing(**settings)  # type: ignore[arg-type]
