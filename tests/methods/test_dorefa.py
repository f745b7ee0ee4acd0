"""DoReFa."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from methods.base import Data, MethodError
from methods.dorefa import DoReFa, bits_of
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.observe import observe
from methods.graph.ops import kind_of
from methods.graph.surgery.edit import difference
from methods.graph.values import value_of
from methods.numerics.dorefa import dorefa_slowly, quantise_k
from tests.zoo.catalogue import network

SITES = ("weight:conv2", "weight:fc1")


def narrow(word: str, **settings: float | bool | str) -> tuple[Graph, Graph, Data]:
    """A network, the same with two narrow layers, and the samples that it was calibrated on."""
    graph = capture(*network("plain"))
    data = Data(graph.example(32))
    return graph, DoReFa(**settings).apply(graph, dict.fromkeys(SITES, word), data), data  # type: ignore[arg-type]


def quantisers(graph: Graph) -> list[fx.Node]:
    return [n for n in graph.nodes if kind_of(n.target) == "quantize"]


@pytest.mark.seed("dorefa-net")
@pytest.mark.parametrize("word", ["w1a2", "w2a2", "w4a3", "w2"])
def test_weights_and_inputs_have_no_more_values_than_their_bits_allow(word: str) -> None:
    """2^k for each tensor."""
    _, small, data = narrow(word)
    weights, inputs = bits_of(word)
    for use in small.weight_uses():
        if use.site in SITES:
            assert len(value_of(small, use.node.args[1]).unique()) <= 2**weights
    names = [node.name for node in quantisers(small)]
    assert len(names) == (0 if inputs == 32 else 2)
    for seen in observe(small, data.inputs, names):
        assert all(1 < len(value.unique()) <= 2**inputs for value in seen.values())


@pytest.mark.seed("dorefa-net")
def test_thirty_two_bits_are_the_float_network() -> None:
    """Weights, inputs or both."""
    graph, small, data = narrow("w32a32")
    assert difference(graph, small, data.inputs) == 0
    _, inputs_only, _ = narrow("w32a4")
    assert torch.equal(inputs_only.tensor("fc1.weight"), graph.tensor("fc1.weight"))
    assert len(quantisers(inputs_only)) == 2


@pytest.mark.seed("dorefa-net")
def test_the_settings_of_the_paper_give_its_formulas() -> None:
    """Weights between -1 and 1 behind the tangent, inputs clipped to 0 and 1."""
    graph = capture(nn.Sequential(nn.ReLU(), nn.Linear(6, 4)), (torch.randn(3, 6),))
    small = DoReFa(scaled=False, clip=1.0).apply(graph, {"weight:1": "w3a2"}, Data((torch.zeros(0, 6),)))
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0)) * 2
    weight = dorefa_slowly(graph.tensor("1.weight").detach(), 3)
    expected = quantise_k(x.clamp(0, 1), 2) @ weight.T + graph.tensor("1.bias")
    torch.testing.assert_close(small(x)[0], expected)


def test_scales_that_fit_keep_outputs_their_size() -> None:
    """Four bits change little where no normalisation follows; levels up to 1 do, many times over."""
    graph, small, data = narrow("w4")
    assert difference(graph, small, data.inputs) < 0.3 < difference(graph, narrow("w4", scaled=False)[1], data.inputs)


def test_the_plan_knows_the_bits_of_the_inputs() -> None:
    """As the graph has them."""
    graph, small, _ = narrow("w2a4")
    for op in lower(small).ops:
        if op.site in SITES:
            planned = DoReFa().rewrite(next(o for o in lower(graph).ops if o.site == op.site), {op.site: "w2a4"})[0]
            assert (planned.inputs[0].bits, planned.stored_bits) == (op.inputs[0].bits, op.stored_bits) == (4, 2.0)


def test_samples_are_needed_for_inputs_alone() -> None:
    """One is enough; without any the remedy is named, and a clip does without."""
    graph = capture(*network("plain"))
    none = Data((graph.example(1)[0][:0],))
    with pytest.raises(MethodError, match="needs samples"):
        DoReFa().apply(graph, {"weight:fc1": "w2a2"}, none)
    DoReFa().apply(graph, {"weight:fc1": "w2"}, none).check()
    DoReFa(clip=1.0).apply(graph, {"weight:fc1": "w2a2"}, none).check()
    DoReFa().apply(graph, {"weight:fc1": "w2a2"}, Data(graph.example(1))).check()
    with pytest.raises(MethodError, match="not a finite number"):
        DoReFa().apply(graph, {"weight:fc1": "w2a2"}, Data((graph.example(2)[0] * float("inf"),)))
