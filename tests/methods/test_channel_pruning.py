"""Channel pruning."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from hwmodels.device import Device
from hwmodels.workload import Dim, Op, TensorSpec
from methods.base import Data, MethodError
from methods.channel_pruning import ChannelPruning, units_kept
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from tests.zoo.catalogue import network

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())


@pytest.mark.parametrize(
    ("units", "share", "multiple", "kept"),
    [(20, 1.0, 8, 20), (20, 0.5, 1, 10), (20, 0.5, 8, 8), (20, 0.9, 8, 16), (6, 0.5, 8, 3), (8, 0.01, 1, 1)],
)
def test_widths_are_rounded_down_to_what_the_device_likes(units: int, share: float, multiple: int, kept: int) -> None:
    """Unless nothing would be left, or nothing was asked for."""
    assert units_kept(units, share, multiple) == kept


def test_the_largest_channels_stay() -> None:
    """By magnitude: the filters that were made large, in their old order."""
    graph = capture(*network("plain"))
    with torch.no_grad():
        graph.tensor("conv1.weight")[[6, 1, 4]] *= 100
    pruned = ChannelPruning("magnitude").apply(graph, {"channels:conv1": 0.375}, Data(graph.example(1)))
    torch.testing.assert_close(pruned.tensor("conv1.weight"), graph.tensor("conv1.weight")[[1, 4, 6]])


def test_shares_that_come_to_the_same_width_are_offered_once() -> None:
    """Twelve units in steps of four leave four, eight or all; below that, what is asked for."""
    graph = capture(*network("plain"))
    values = ChannelPruning(multiple=4).space(graph, DEVICE).sites["channels:conv2"]
    assert values[0] == 1.0
    assert [units_kept(12, float(v), 4) for v in values] == [12, 8, 4, 3, 2]


def test_a_group_without_batch_norm_has_no_gamma_to_go_by() -> None:
    """The site and the remedy are named; other sites can be pruned."""
    graph = capture(*network("residual"))
    method, data = ChannelPruning("batch-norm-scale"), Data(graph.example(1))
    method.apply(graph, {"channels:stem": 0.5}, data).check()
    with pytest.raises(MethodError, match=r"channels:squeeze.*'taylor' or 'magnitude'"):
        method.apply(graph, {"channels:squeeze": 0.5}, data)


def test_depthwise_convolutions_keep_one_group_a_channel() -> None:
    """In the plan as in the graph: a rewritten operator is the one that the pruned graph has."""
    graph = capture(*network("depthwise"))
    choices = {"channels:expand": 0.5}
    planned = [o for op in lower(graph, dims=True).ops for o in ChannelPruning().rewrite(op, choices)]
    real = lower(ChannelPruning("magnitude").apply(graph, choices, Data(graph.example(1)))).ops
    depth = [op for ops in (planned, real) for op in ops if op.site == "weight:depth"]
    assert dict(depth[0].attributes) == dict(depth[1].attributes)
    assert depth[0].weights == depth[1].weights
    assert dict(depth[1].attributes)["groups"] == "6"


def grouped(kind: str = "0") -> Op:
    """A 3x3 convolution, or the transpose of one, of 8 groups: 4 channels into each group, 2 out of it."""
    into, out = TensorSpec((1, 32, 9, 9)), TensorSpec((1, 16, 9, 9))
    within, made = ("channels:a", 4), ("channels:b", 2)
    dims = (Dim(0, 1, "groups:c", 1, 8, (within,)), Dim(1, 1, "groups:c", 1, 8, (made,)))
    transposed = kind == "1"
    whole, part = (within, made) if transposed else (made, within)
    weight = TensorSpec((32, 2, 3, 3) if transposed else (16, 4, 3, 3))
    dims += (Dim(2, 0, "groups:c", 1, 8, (whole,)), Dim(2, 1, part[0], 1, part[1]))
    attributes = (("groups", "8"), ("geometry", "[1, 1] [1, 1] [0, 0] 8 [1, 1]"), ("transposed", kind))
    return Op("c", "conv", (into,), (out,), (weight,), dims=dims, attributes=attributes)


@pytest.mark.parametrize("kind", ["0", "1"])
@pytest.mark.parametrize(
    ("choices", "groups", "into"),
    [
        ({"groups:c": 0.5}, "4", 16),
        ({"channels:a": 0.75}, "8", 24),
        ({"groups:c": 0.375, "channels:b": 0.5, "channels:a": 0.25}, "3", 3),
    ],
)
def test_groups_are_what_the_shapes_come_to(kind: str, choices: dict[str, float], groups: str, into: int) -> None:
    """Whole groups go or stay; channels within a group leave their number as it was."""
    (made,) = ChannelPruning().rewrite(grouped(kind), choices)
    attributes = dict(made.attributes)
    assert (attributes["groups"], made.inputs[0].shape[1]) == (groups, into)
    assert attributes["geometry"] == f"[1, 1] [1, 1] [0, 0] {groups} [1, 1]"


def test_a_depthwise_operator_keeps_one_channel_a_group() -> None:
    """Its groups fall with its channels."""
    dims = tuple(Dim(t, a, "channels:e", 1, 32) for t, a in ((0, 1), (1, 1), (2, 0)))
    value, weight = TensorSpec((1, 32, 9, 9)), TensorSpec((32, 1, 3, 3))
    op = Op("d", "conv", (value,), (value,), (weight,), dims=dims, attributes=(("groups", "32"),))
    (made,) = ChannelPruning().rewrite(op, {"channels:e": 0.25})
    assert (made.weights[0].shape, dict(made.attributes)) == ((8, 1, 3, 3), {"groups": "8"})


def test_heads_are_counted_one_by_one_and_channels_by_the_device() -> None:
    """Three heads may be two or one, in whole numbers; 64 channels a head stay a multiple of eight."""
    method = ChannelPruning(multiple=8)
    assert method.shares("heads:q", 3) == (1.0, 0.75, 0.375)
    assert [units_kept(64, float(s), 8) for s in method.shares("channels:q", 64)] == [64, 56, 48, 40, 32, 24, 16, 8]
    op = Op("q", "linear", (TensorSpec((1, 30)),), (TensorSpec((1, 192)),), (TensorSpec((192, 30)),))
    along = (Dim(1, 1, "heads:q", 1, 3, (("channels:q", 64),)), Dim(2, 0, "heads:q", 1, 3, (("channels:q", 64),)))
    (made,) = method.rewrite(replace(op, dims=along), {"heads:q": 0.75, "channels:q": 0.55})
    assert made.weights[0].shape == (2 * 32, 30)
    assert made.macs == 64 * 30


def test_scores_are_taken_anew_for_other_data() -> None:
    """One graph pruned on two data sets gives two networks."""
    graph = capture(*network("plain"))
    one, other = (Data(graph.example(16, seed), torch.arange(16) % 5) for seed in (1, 2))
    method, choices = ChannelPruning(), {"channels:fc1": 0.5, "channels:conv2": 0.5}
    first, second = method.apply(graph, choices, one), method.apply(graph, choices, other)
    again = method.apply(graph, choices, one)
    assert not torch.equal(first.tensor("fc1.weight"), second.tensor("fc1.weight"))
    torch.testing.assert_close(first.tensor("fc1.weight"), again.tensor("fc1.weight"))


class Attention(nn.Module):
    """A layer that widens, attention of four heads over three tokens, and a layer to five classes."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.query, self.key, self.value = (nn.Linear(n, 16) for n in (6, 16, 16, 16))
        self.out, self.head = nn.Linear(16, 16), nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.widen(x))
        split = [layer(x).unflatten(2, (4, 4)).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        seen = nn.functional.scaled_dot_product_attention(*split)
        return self.head(self.out(seen.transpose(1, 2).flatten(2)).mean(1))


@pytest.mark.parametrize("place", [1, -1])
def test_plans_have_the_shapes_of_pruned_attention(place: int) -> None:
    """Heads, channels a head and hidden channels cut together, operator by operator as in the pruned graph."""
    torch.manual_seed(0)
    graph, method = capture(Attention(), torch.randn(1, 3, 6)), ChannelPruning("magnitude")
    sites = method.space(graph, DEVICE).sites
    assert {site.partition(":")[0] for site in sites} == {"heads", "channels"}
    choices = {site: values[place] for site, values in sites.items()}
    planned = [o for op in lower(graph, dims=True).ops for o in method.rewrite(op, choices)]
    real = lower(method.apply(graph, choices, Data(graph.example(2)))).ops
    shapes = [[(o.inputs, o.outputs, o.weights, o.macs) for o in ops] for ops in (planned, real)]
    assert shapes[0] == shapes[1]
