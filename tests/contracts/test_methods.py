"""What every method promises, on networks that tie their channels in different ways: a new one is tested by its line
in the catalogue."""

from __future__ import annotations

import sys
from functools import cache

import pytest
import torch

from hwmodels.device import Device
from hwmodels.workload import Workload
from methods.base import BadChoice, Data, Method, Value
from methods.catalogue import METHODS, UnknownMethod, method
from methods.graph.file import to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.edit import difference
from tests.zoo.catalogue import network

torch.set_num_threads(1)

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9, "int8": 4e9}, {}, ())
NETWORKS = ("plain", "residual", "depthwise", "dense", "transformer")
EVERY_METHOD = pytest.mark.parametrize("each", METHODS.values(), ids=lambda m: m.name)
EVERY_NETWORK = pytest.mark.parametrize("name", NETWORKS)


@cache
def captured(name: str) -> tuple[Graph, Data]:
    """A network of the zoo and sixteen labelled samples for it."""
    graph = capture(*network(name))
    return graph, Data(graph.example(16), torch.arange(16) % 5)


def choices(each: Method, graph: Graph, place: int) -> dict[str, Value]:
    """The value at one place of every site's list: 0 leaves all as it is, -1 is the strongest."""
    return {site: values[place] for site, values in each.space(graph, DEVICE).sites.items()}


def own_bytes(workload: Workload) -> int:
    """Bytes of the weights that layers keep, codebook indices at their stored width; biases apart."""
    weights = [(op.weights[0], op.stored_bits, op.density) for op in workload.ops if op.site]
    return sum(int(density * w.elements * (bits or w.bits) / 8) for w, bits, density in weights)


@EVERY_METHOD
@EVERY_NETWORK
def test_the_first_value_changes_nothing(each: Method, name: str) -> None:
    """Choosing "leave as is" at every site gives the same outputs."""
    graph, data = captured(name)
    same = each.apply(graph, choices(each, graph, 0), data)
    assert same is not graph
    assert difference(graph, same, data.inputs) == 0.0


@EVERY_METHOD
@EVERY_NETWORK
def test_the_strongest_value_gives_a_sound_smaller_graph(each: Method, name: str) -> None:
    """The result runs, needs less, and the graph that it came from is what it was."""
    graph, data = captured(name)
    before = to_bytes(graph)
    chosen = choices(each, graph, -1)
    smaller = each.apply(graph, chosen, data)
    smaller.check()
    old, new = lower(graph), lower(smaller)
    assert new.macs <= old.macs
    assert own_bytes(new) < own_bytes(old) if chosen else own_bytes(new) == own_bytes(old)
    assert to_bytes(graph) == before


@EVERY_METHOD
@EVERY_NETWORK
def test_the_same_choices_give_the_same_weights(each: Method, name: str) -> None:
    """Two applications write the same file."""
    graph, data = captured(name)
    chosen = choices(each, graph, -1)
    assert to_bytes(each.apply(graph, chosen, data)) == to_bytes(each.apply(graph, chosen, data))


@EVERY_METHOD
@EVERY_NETWORK
@pytest.mark.parametrize("place", [1, -1])
def test_the_plan_sees_what_the_graph_becomes(each: Method, name: str, place: int) -> None:
    """Rewriting the operators gives the MACs and the weight bytes of the rewritten graph."""
    graph, data = captured(name)
    chosen = choices(each, graph, place)
    planned = Workload(tuple(o for op in lower(graph, dims=True).ops for o in each.rewrite(op, chosen)))
    real = lower(each.apply(graph, chosen, data))
    assert planned.macs == real.macs
    assert [op.weights[0].bytes for op in planned.ops if op.site] == [op.weights[0].bytes for op in real.ops if op.site]


@EVERY_NETWORK
def test_methods_work_one_after_the_other(name: str) -> None:
    """In catalogue order, each at every site that the others left it; a site that is left has its first name."""
    graph, data = captured(name)
    for each in METHODS.values():
        sites = {use.site for use in graph.weight_uses()}
        chosen = choices(each, graph, 1)
        graph = each.apply(graph, chosen, data)
        graph.check()
        left = {use.site for use in graph.weight_uses()}
        assert left < sites if any(s.startswith("block:") for s in chosen) else left == sites


@EVERY_METHOD
def test_it_has_something_to_choose(each: Method) -> None:
    """At least in three of these networks; where there is nothing to do, the space is empty."""
    assert sum(bool(choices(each, captured(name)[0], 1)) for name in NETWORKS) >= 3


@EVERY_METHOD
def test_a_site_that_is_not_there_is_named(each: Method) -> None:
    """The message says what was asked for and what there is."""
    graph, data = captured("residual")
    with pytest.raises(BadChoice, match=r"'weight:fc9'.*it has .*(weight|channels|block):\w"):
        each.apply(graph, {"weight:fc9": 0.5}, data)


@EVERY_METHOD
@pytest.mark.parametrize("value", [-1, 17, "int3", True])
def test_a_value_that_can_not_be_is_refused(each: Method, value: Value) -> None:
    """Before anything is changed, naming the site."""
    graph, data = captured("residual")
    site = next(iter(each.space(graph, DEVICE).sites))
    with pytest.raises(BadChoice, match=site):
        each.apply(graph, {site: value}, data)


@EVERY_METHOD
def test_its_paper_is_named(each: Method) -> None:
    """The file's docstring cites a source with an arXiv number."""
    assert "arXiv" in str(sys.modules[type(each).__module__].__doc__)


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    """A slip of the finger finds the name that was meant."""
    with pytest.raises(UnknownMethod, match=r"did you mean channel-pruning.*low-rank, circulant, .*, quantization"):
        method("chanel-pruning")
