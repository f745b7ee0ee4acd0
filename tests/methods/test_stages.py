"""Rows of layers in plans."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from hwmodels.workload import Workload
from methods.base import Data, Value
from methods.channel_pruning import ChannelPruning
from methods.factorisation import Factorisation
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.stages import Layout, written_shape
from tests.methods.factorised import DEVICE, EVERY, followed, shown
from tests.zoo.catalogue import network

NETWORKS = ("residual", "depthwise", "segmenter", "temporal", "wavenet", "inception", "video", "vit_fused")
EVERY_METHOD = pytest.mark.parametrize("method", EVERY, ids=lambda m: m.name)


@EVERY_METHOD
@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_planned_is_what_is_built(method: Factorisation, name: str) -> None:
    """Operator by operator: shapes, geometry, multiply-accumulates, bytes, and which axes follow which pruning sites;
    with strides, dilations and padding, over one to three axes of space."""
    graph = capture(*network(name))
    choices = {site: values[1] for site, values in method.space(graph, DEVICE).sites.items()}
    planned = Workload(tuple(o for op in lower(graph, dims=True).ops for o in method.rewrite(op, choices)))
    real = lower(method.apply(graph, choices, Data(graph.example(2))), dims=True)
    assert [shown(op) for op in planned.ops] == [shown(op) for op in real.ops]
    assert [followed(op) for op in planned.ops] == [followed(op) for op in real.ops]


@EVERY_METHOD
@pytest.mark.parametrize("name", ["plain", "residual", "depthwise", "inception"])
def test_plans_hold_after_channels_were_pruned(method: Factorisation, name: str) -> None:
    """Ranks are shares of what pruning left."""
    graph, pruning = capture(*network(name)), ChannelPruning()
    data = Data(graph.example(4))
    widths: dict[str, Value] = dict.fromkeys(couple(graph).groups, 0.6)
    pruned = pruning.apply(graph, widths, data)
    choices = {site: values[-1] for site, values in method.space(pruned, DEVICE).sites.items()}
    narrow = [o for op in lower(graph, dims=True).ops for o in pruning.rewrite(op, widths)]
    planned = [o for op in narrow for o in method.rewrite(op, choices)]
    real = lower(method.apply(pruned, choices, data)).ops
    assert [shown(op) for op in planned] == [shown(op) for op in real]


def test_rows_hand_their_values_on() -> None:
    """Each reads what the one before it writes; the last writes what the whole layer wrote, under all its names."""
    graph = capture(*network("residual"))
    whole = next(op for op in lower(graph).ops if op.site == "weight:conv1")
    row = EVERY[2].rewrite(whole, {"weight:conv1": 0.5})
    assert [op.name for op in row] == [f"{whole.name}_{suffix}" for suffix in ("v", "core", "u")]
    assert [op.reads for op in row] == [whole.reads, row[0].writes, row[1].writes]
    assert row[2].writes == whole.writes
    assert [op.aliases for op in row] == [(), (), whole.aliases]


def test_blocks_and_biases_stay_with_the_row() -> None:
    """Every piece goes with the block; the bias stands in the last one alone."""
    graph = capture(*network("residual"))
    for whole in lower(graph, dims=True).ops:
        for method in EVERY:
            if whole.site in method.space(graph, DEVICE).sites:
                row = method.rewrite(whole, {whole.site: method.space(graph, DEVICE).sites[whole.site][1]})
                assert all(op.blocks == whole.blocks for op in row)
                assert [len(op.weights) for op in row] == [1] * (len(row) - 1) + [len(whole.weights)]


@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_sizes_are_those_that_torch_makes(size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    """Of a convolution along one axis; the other is left alone."""
    if size + 2 * padding < dilation * (kernel - 1) + 1:
        return
    layout = Layout((5, 3, kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
    made = conv2d(
        torch.zeros(2, 3, size, 4), torch.zeros(layout.shape), None, layout.stride, layout.padding, layout.dilation
    )
    assert written_shape((2, 3, size, 4), layout) == tuple(made.shape)
