"""What every form of a weight promises: the graph has what the arithmetic says, and plans know what it takes."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from hwmodels.device import Device
from methods.base import Data, Method, MethodError, Value
from methods.catalogue import METHODS
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph, WeightUse
from methods.graph.lower import lower
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.edit import difference
from methods.graph.surgery.settle import settled
from methods.graph.values import value_of
from methods.weight_method import WeightMethod
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())
FORMS = [m for m in METHODS.values() if isinstance(m, WeightMethod)]
EVERY_FORM = pytest.mark.parametrize("each", FORMS, ids=lambda m: m.name)
ONE_LAYER = [m for m in FORMS if m.stage != "factor"]
EVERY_ONE_LAYER_FORM = pytest.mark.parametrize("each", ONE_LAYER, ids=lambda m: m.name)


@cache
def captured(name: str = "plain") -> tuple[Graph, Data]:
    """A network of the zoo and samples for it."""
    graph = capture(*network(name))
    return graph, Data(graph.example(16), torch.arange(16) % 5)


def chosen(each: Method, graph: Graph) -> dict[str, Value]:
    """The strongest value at every site."""
    return {site: values[-1] for site, values in each.space(graph, DEVICE).sites.items()}


def weights(graph: Graph) -> dict[str, Tensor]:
    """Node of a layer -> what it computes with."""
    return {use.node.name: value_of(graph, use.node.args[1]) for use in graph.weight_uses()}


def broken(graph: Graph, use: WeightUse, number: float) -> Graph:
    """A copy with one weight of a layer replaced by a number."""
    copy = graph.clone()
    with torch.no_grad():
        copy.tensor(use.weight).view(-1)[3] = number
    return copy


@EVERY_ONE_LAYER_FORM
def test_the_graph_holds_the_projection(each: WeightMethod) -> None:
    """What a layer computes with is what `project` makes of its weight."""
    graph, data = captured()
    choices = chosen(each, graph)
    after = weights(each.apply(graph, choices, data))
    for use in graph.weight_uses():
        if use.site in choices:
            wanted = each.project(graph.tensor(use.weight).detach(), choices[use.site])
            assert torch.allclose(after[use.node.name], wanted, rtol=1e-4, atol=1e-5), use.site


@EVERY_FORM
def test_projecting_twice_changes_nothing_more(each: WeightMethod) -> None:
    """A weight that has the form is its own nearest one."""
    graph, _ = captured()
    choices = chosen(each, graph)
    for use in graph.weight_uses():
        if use.site in choices:
            once = each.project(graph.tensor(use.weight).detach(), choices[use.site])
            assert once.shape == graph.tensor(use.weight).shape
            assert torch.allclose(each.project(once, choices[use.site]), once, rtol=1e-3, atol=1e-4), use.site


@EVERY_FORM
def test_plans_know_what_is_stored(each: WeightMethod) -> None:
    """Density, bits and kind of levels of the rewritten operators are those of the graph."""
    graph, data = captured()
    choices = chosen(each, graph)
    planned = [o for op in lower(graph, dims=True).ops for o in each.rewrite(op, choices) if o.site]
    real = [op for op in lower(each.apply(graph, choices, data)).ops if op.site]
    assert [op.pattern for op in planned] == [op.pattern for op in real]
    assert [op.levels for op in planned] == [op.levels for op in real]
    assert [op.density for op in planned] == pytest.approx([op.density for op in real], rel=1e-6)
    assert [op.stored_bits for op in planned] == pytest.approx([op.stored_bits for op in real], rel=1e-6)


@EVERY_FORM
def test_it_survives_the_file_and_onnx(each: WeightMethod) -> None:
    """Read back, the network computes the same to the bit, in fewer bytes; its ONNX file agrees with it."""
    graph, data = captured()
    made = each.apply(graph, chosen(each, graph), data)
    packed = to_bytes(made)
    assert difference(settled(made), from_bytes(packed), data.inputs) == 0.0
    assert len(packed) < len(to_bytes(graph))
    assert check_export(made, export(made)) < 1e-4


@EVERY_FORM
def test_the_form_is_trained_and_stays(each: WeightMethod) -> None:
    """A step moves the outputs, and what comes out is of the same form still."""
    graph, data = captured()
    made = each.apply(graph, chosen(each, graph), data)
    before = made(*data.inputs)[0].detach()
    stored = [op.stored_bits for op in lower(made).ops]
    optimizer = torch.optim.SGD([p for p in made.module.parameters() if p.requires_grad], lr=0.05)
    for _ in range(3):
        optimizer.zero_grad()
        made(*data.inputs)[0].square().sum().backward()
        optimizer.step()
    assert (made(*data.inputs)[0] - before).abs().max() > 0
    assert [op.stored_bits for op in lower(made).ops] == stored
    assert [op.density for op in lower(made).ops] == [op.density for op in lower(settled(made)).ops]


@EVERY_FORM
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_broken_weight_is_named(each: WeightMethod, number: float) -> None:
    """With its site, before anything is computed from it."""
    graph, data = captured()
    choices = chosen(each, graph)
    use = next(use for use in graph.weight_uses() if use.site in choices)
    with pytest.raises(MethodError, match=f"{use.site}.*NaN or infinite"):
        each.apply(broken(graph, use, number), choices, data)


@EVERY_FORM
@pytest.mark.parametrize("number", [0.0, 0.25])
def test_a_constant_weight_stays_finite(each: WeightMethod, number: float) -> None:
    """All zeros or all the same: the network computes numbers still."""
    graph, data = captured()
    copy = graph.clone()
    choices = chosen(each, graph)
    use = next(use for use in copy.weight_uses() if use.site in choices)
    copy.set_tensor(use.weight, torch.full_like(copy.tensor(use.weight), number))
    made = each.apply(copy, {use.site: choices[use.site]}, data)
    assert torch.isfinite(made(*data.inputs)[0]).all()
