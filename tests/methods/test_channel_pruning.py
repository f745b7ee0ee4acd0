"""Channel pruning."""

from __future__ import annotations

import pytest
import torch

from hwmodels.device import Device
from methods.base import Data, MethodError
from methods.channel_pruning import ChannelPruning, units_kept
from methods.graph.capture import capture
from methods.graph.lower import lower
from tests.zoo import network

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


def test_scores_are_taken_anew_for_other_data() -> None:
    """One graph pruned on two data sets gives two networks."""
    graph = capture(*network("plain"))
    one, other = (Data(graph.example(16, seed), torch.arange(16) % 5) for seed in (1, 2))
    method, choices = ChannelPruning(), {"channels:fc1": 0.5, "channels:conv2": 0.5}
    first, second = method.apply(graph, choices, one), method.apply(graph, choices, other)
    again = method.apply(graph, choices, one)
    assert not torch.equal(first.tensor("fc1.weight"), second.tensor("fc1.weight"))
    torch.testing.assert_close(first.tensor("fc1.weight"), again.tensor("fc1.weight"))
