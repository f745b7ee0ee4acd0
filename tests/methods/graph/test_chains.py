"""One layer as a row of layers, in the graph."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from methods.base import Data
from methods.channel_pruning import ChannelPruning
from methods.factorisation import Factorisation
from methods.graph.coupling.trace import couple
from methods.graph.file import from_bytes, to_bytes
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.onnx_out.export import check_export, export
from methods.graph.surgery.chains import is_last_piece, is_piece, layout_of, split_layer
from methods.graph.surgery.edit import BadEdit, difference, kept_indices, prune
from methods.low_rank import LowRank
from methods.numerics.compose import composed
from methods.stages import Layout, Stage, pointwise
from tests.methods.factorised import DEVICE, EVERY, layer, set_weight
from tests.zoo.catalogue import network

LAYERS = [
    (nn.Linear(6, 5), (7, 6)),
    (nn.Conv1d(6, 5, 3, stride=2, padding=1), (6, 9)),
    (nn.Conv2d(6, 5, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2)), (6, 9, 9)),
    (nn.Conv3d(6, 5, 2, padding=1), (6, 4, 4, 4)),
]


def thin_row(layout: Layout) -> list[Stage]:
    """1x1 to three channels, the layer's own kernel for each of them, 1x1 to all outputs."""
    axes = len(layout.kernel)
    if not axes:
        return [Stage("v", Layout((3, 6))), Stage("u", Layout((5, 3)))]
    middle = Layout((3, 1, *layout.kernel), layout.stride, layout.padding, layout.dilation, groups=3)
    return [pointwise("v", (3, 6), axes), Stage("each", middle), pointwise("u", (5, 3), axes)]


@pytest.mark.parametrize(("made", "shape"), LAYERS)
def test_a_row_does_what_its_composed_weight_does(made: nn.Module, shape: tuple[int, ...]) -> None:
    """With any geometry and groups, over any number of axes; the bias is added once, at the end."""
    whole = layer(made, *shape)
    use = next(whole.weight_uses())
    row = thin_row(layout_of(whole, use))
    weights = [torch.randn(stage.layout.shape) for stage in row]
    split = whole.clone()
    split_layer(split, next(split.weight_uses()), row, weights)
    split.remove_unused()
    set_weight(whole, composed(weights, [stage.layout.groups for stage in row]))
    assert difference(whole, split, whole.example(3)) < 1e-5
    assert [u.weight for u in split.weight_uses()] == [f"one.{stage.suffix}.weight" for stage in row]
    assert {u.site for u in split.weight_uses()} == {"weight:one"}
    assert "one.u.bias" in dict(split.module.named_parameters())


def halved(name: str = "plain") -> Graph:
    graph = capture(*network(name))
    choices = {use.site: 0.5 for use in graph.weight_uses() if use.site in ("weight:conv2", "weight:fc1")}
    return LowRank(samples=0).apply(graph, choices, Data(graph.example(2)))


def test_pieces_are_known_as_such() -> None:
    """By their names and sites together, also behind a file; a user's own `u` is none."""
    graph = from_bytes(to_bytes(halved()))
    names = [use.weight for use in graph.weight_uses()]
    assert [n for n in names if is_piece(graph, n)] == [
        "conv2.v.weight",
        "conv2.u.weight",
        "fc1.v.weight",
        "fc1.u.weight",
    ]
    assert [n for n in names if is_last_piece(graph, n)] == ["conv2.u.weight", "fc1.u.weight"]
    own = capture(nn.Sequential(OrderedDict(u=nn.Linear(3, 3))), torch.zeros(2, 3))
    assert not any(is_piece(own, use.weight) for use in own.weight_uses())


@pytest.mark.parametrize("name", ["plain", "residual", "depthwise"])
@pytest.mark.parametrize("method", EVERY, ids=lambda m: m.name)
def test_rows_can_be_pruned_and_exported(method: Factorisation, name: str) -> None:
    """Channels between the factors and around them: what is removed is what is zeroed, and onnxruntime agrees."""
    graph = capture(*network(name))
    data = Data(graph.example(4))
    sites = method.space(graph, DEVICE).sites
    rows = method.apply(graph, {s: v[-1] for s, v in sites.items()}, data)
    assert check_export(rows, export(rows)) < 1e-5
    groups = couple(rows).groups
    assert any(site.endswith(".u") for site in groups)
    smaller = prune(rows, {site: range((1 + len(g)) // 2) for site, g in groups.items()})
    smaller.check()
    assert smaller.parameter_count < rows.parameter_count
    assert check_export(smaller, export(smaller)) < 1e-5


def test_a_cut_layer_remembers_its_channels() -> None:
    """The last piece knows which outputs of the untouched layer it still has."""
    graph = capture(*network("plain"))
    data = Data(graph.example(4))
    pruned = ChannelPruning().apply(graph, {"channels:conv2": 0.5}, data)
    kept = kept_indices(pruned, "conv2.weight", 0)
    rows = LowRank(samples=0).apply(pruned, {"weight:conv2": 0.5}, data)
    assert kept != list(range(len(kept)))
    assert kept_indices(rows, "conv2.u.weight", 0) == kept


@pytest.mark.parametrize("own", ["fc1.v.weight", "fc1.u.bias"])
def test_what_the_network_has_is_never_overwritten(own: str) -> None:
    """Weights and biases of such a name: it is left alone, by name."""
    graph = capture(*network("plain"))
    graph.set_tensor(own, torch.zeros(1), trainable=True)
    with pytest.raises(BadEdit, match=own.replace(".", r"\.") + " of its own"):
        LowRank(samples=0).apply(graph, {"weight:fc1": 0.5}, Data(graph.example(1)))


def test_a_weight_of_another_shape_than_planned_is_refused() -> None:
    """It would only fail when the network runs."""
    graph = layer(nn.Linear(6, 5), 6)
    row = [Stage("v", Layout((3, 6))), Stage("u", Layout((5, 3)))]
    with pytest.raises(BadEdit, match=r"one.u.weight has the shape \(5, 2\), not \(5, 3\)"):
        split_layer(graph, next(graph.weight_uses()), row, [torch.ones(3, 6), torch.ones(5, 2)])
