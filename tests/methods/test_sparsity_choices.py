"""What may be asked of sparsity, what is refused, what a search and a gradual schedule are offered."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import torch

from hwmodels.device import Device
from methods.base import BadChoice, Data, MethodError, Value
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.values import value_of
from methods.sparsity import Sparsity
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())
NONE = Data((torch.zeros(0),))


@cache
def plain() -> Graph:
    """Two convolutions and two linear layers."""
    return capture(*network("plain"))


@pytest.mark.parametrize(
    "value", [0, 1.5, -0.5, True, "5:4", "0:4", "block:0x1:0.5", "row:0", "row:2", "strided:2:", "pattern", "2:4:8", ""]
)
def test_a_choice_that_can_not_be_is_refused(value: Value) -> None:
    """Naming the site and what would be right."""
    with pytest.raises(BadChoice, match=r"weight:fc1 takes a share.*'2:4'"):
        Sparsity().apply(plain(), {"weight:fc1": value}, NONE)


@pytest.mark.parametrize(
    ("site", "value", "why"),
    [("fc1", "strided:2", "no places"), ("conv2", "strided:4", "3 x 3"), ("conv2", "pattern:10", "can't keep 10")],
)
def test_a_pattern_that_a_layer_can_not_have_is_refused(site: str, value: str, why: str) -> None:
    """By the graph and by the plan alike, with the site and the reason."""
    op = next(op for op in lower(plain()).ops if op.site == f"weight:{site}")
    with pytest.raises(MethodError, match=rf"weight:{site}.*{why}"):
        Sparsity().apply(plain(), {f"weight:{site}": value}, NONE)
    with pytest.raises(MethodError, match=rf"weight:{site}.*{why}"):
        Sparsity().rewrite(op, {f"weight:{site}": value})


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"importance": "size"}, "no importance 'size'.*magnitude"),
        ({"ranking": "both"}, "layer, global, not 'both'"),
        ({"patterns": 0}, "at least one pattern"),
        ({"offers": "0.5, 5:4"}, "5 of every 4"),
    ],
)
def test_settings_that_can_not_be_are_refused(wrong: dict[str, Any], why: str) -> None:
    """At once, before any network is seen."""
    with pytest.raises(MethodError, match=why):
        Sparsity(**wrong)


def test_what_is_offered_fits_the_layer() -> None:
    """Shares leave a weight an output; places in kernels are for convolutions."""
    sites = Sparsity().space(plain(), DEVICE).sites
    assert sites["weight:conv1"] == (1.0, 0.5, 0.25)
    assert sites["weight:fc1"] == (1.0, 0.5, 0.25, 0.1, 0.05)
    words = Sparsity(offers="2:4, kernel:0.5, strided:2, row:0.5").space(plain(), DEVICE).sites
    assert words["weight:conv2"] == (1.0, "2:4", "kernel:0.5", "strided:2", "row:0.5")
    assert words["weight:fc1"] == (1.0, "2:4", "kernel:0.5", "row:0.5")


@pytest.mark.parametrize("value", [0.1, "row:0.5", "column:0.25", "block:2x2:0.5"])
def test_a_gradual_schedule_asks_for_less_and_less(value: Value) -> None:
    """From nothing to the value itself; every mask on the way contains the next."""
    method, graph = Sparsity(), plain()
    masks = []
    for progress in (0.0, 0.4, 0.9, 1.0):
        graph = method.apply(graph, {"weight:conv2": method.eased(value, progress)}, NONE)
        use = next(use for use in graph.weight_uses() if use.site == "weight:conv2")
        masks.append(value_of(graph, use.node.args[1]) != 0)
    assert masks[0].all()
    assert all(bool((b <= a).all()) and int(b.sum()) < int(a.sum()) for a, b in pairwise(masks))
    assert method.eased(value, 1.0) == value


@pytest.mark.parametrize("value", ["2:4", "strided:2", "pattern:4+kernel:0.5"])
def test_patterns_without_a_share_come_last(value: Value) -> None:
    """There is no half of two of four."""
    assert Sparsity().eased(value, 0.99) == 1.0
    assert Sparsity().eased(value, 1.0) == value
