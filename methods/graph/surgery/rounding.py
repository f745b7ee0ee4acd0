"""Rounding inside the graph: codes of even steps, levels of any kind, for weights and for activations.

What is rounded keeps its full numbers for training; gradients go straight through. Every function changes the graph
that it is given.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.ops import TARGETS
from methods.graph.surgery.forms import beside
from methods.graph.values import value_of


def quantise_weight(
    graph: Graph, use: WeightUse, scale: Tensor, low: int, high: int, zero_point: Tensor | None = None
) -> None:
    """Rounds the weight of one layer to per-channel codes: `scale` `[out]`, and zero points `[out]` where the codes are
    not symmetric, stay fixed; gradients pass."""
    node, names = use.node, (beside(use, "scale"), beside(use, "zero_point"))
    graph.set_tensor(names[0], scale, trainable=False)
    zeros = torch.zeros(len(scale)) if zero_point is None else zero_point
    graph.set_tensor(names[1], zeros.to(torch.int32), trainable=False)
    with graph.module.graph.inserting_before(node):
        settings = [graph.module.graph.get_attr(name) for name in names]
        target = TARGETS["aten.fake_quantize_per_channel_affine.default"]
        codes = graph.module.graph.call_function(target, (node.args[1], *settings, 0, low, high))
    node.update_arg(1, codes)


def quantise_groups(graph: Graph, use: WeightUse, scale: Tensor, zero_point: Tensor, codes: tuple[int, int]) -> None:
    """Rounds the weight to codes from `codes[0]` to `codes[1]` with a scale for each group of neighbours along the
    unfolded input axis: `scale` and `zero_point` `[out * groups]`, group by group of one output after the other."""
    node, shape = use.node, list(value_of(graph, use.node.args[1]).shape)
    graph.set_tensor(beside(use, "scale"), scale, trainable=False)
    graph.set_tensor(beside(use, "zero_point"), zero_point.to(torch.int32), trainable=False)
    made = graph.module.graph.call_function
    with graph.module.graph.inserting_before(node):
        settings = [graph.module.graph.get_attr(beside(use, name)) for name in ("scale", "zero_point")]
        rows = made(TARGETS["aten.reshape.default"], (node.args[1], [len(scale), prod(shape) // len(scale)]))
        target = TARGETS["aten.fake_quantize_per_channel_affine.default"]
        rounded = made(target, (rows, *settings, 0, *codes))
        weight = made(TARGETS["aten.reshape.default"], (rounded, shape))
    node.update_arg(1, weight)


def snap_weight(
    graph: Graph, use: WeightUse, scale: Tensor, pattern: Tensor, edges: Tensor, trainable: bool = True
) -> None:
    """Rounds the weight to the levels `scale * pattern` (`pattern` `[k]` rising), in the cells between `edges`.

    `scale` is `[1]`, `[k]` (each level by itself) or `[out, 1]`; `edges` `[k - 1]` or `[out, k - 1]`. Scales are
    trained along unless `trainable` is false; what they multiply and the edges stay.
    """
    names = [beside(use, name) for name in ("level_scale", "pattern", "edges")]
    graph.set_tensor(names[0], scale, trainable)
    for name, value in zip(names[1:], (pattern, edges), strict=True):
        graph.set_tensor(name, value, trainable=False)
    with graph.module.graph.inserting_before(use.node):
        nodes = [graph.module.graph.get_attr(name) for name in names]
        levels = graph.module.graph.call_function(TARGETS["aten.mul.Tensor"], tuple(nodes[:2]))
        arguments = (use.node.args[1], levels, nodes[2])
        made = graph.module.graph.call_function(TARGETS["fitwright.snap.default"], arguments)
    use.node.update_arg(1, made)


def quantise_value(graph: Graph, value: fx.Node, scale: float, zero_point: int, low: int, high: int) -> fx.Node:
    """Rounds an activation to codes for everybody who reads it. What the network gives out stays exact where others
    read it too; where nobody does, as behind a last convolution, it is rounded, as integer kernels write it."""
    readers = [n for n in value.users if n.op != "output"] or list(value.users)
    order = {node: place for place, node in enumerate(graph.module.graph.nodes)}
    made = quantise_operand(graph, min(readers, key=order.__getitem__), value, (scale, zero_point, low, high))
    for reader in readers:
        reader.replace_input_with(value, made)
    return made


def quantise_operand(graph: Graph, reader: fx.Node, value: fx.Node, settings: tuple[float, int, int, int]) -> fx.Node:
    """Adds a quantiser of `value` (scale, zero point, lowest and highest code) in front of `reader`, unread so far."""
    target = TARGETS["aten.fake_quantize_per_tensor_affine.default"]
    with graph.module.graph.inserting_before(reader):
        return graph.module.graph.call_function(target, (value, *settings))
