"""Layers that read signs: binary inputs, and the map of scales that makes up for them.

A layer `conv(x, w) + b` becomes `conv(sign(x), w) * K + b`, where K is the mean magnitude of the inputs under each
position of the kernel. Gradients of the sign go straight through where |x| <= 1 and stop elsewhere. An activation that
only cuts off the negative half, right before the layer, is left out: of its output every sign would be +1.

Reference: Rastegari et al., "XNOR-Net", 2016, arXiv 1603.05279, section 3.2; Hubara et al., 2016, arXiv 1602.02830
(the gradient of the sign).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument, name_of
from methods.graph.ops import TARGETS, kind_of
from methods.graph.surgery.forms import groups_of
from methods.graph.surgery.quantisers import KEEPS_CODES

FLOORS = ("relu", "relu6")
POSITIVE = {*FLOORS, "sigmoid", "hardsigmoid", "softmax", "abs", "square", "exp", "softplus"}
"""Operators that give no negative numbers."""
KEEPS_SIGN = KEEPS_CODES | {"adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d", "mean", "cat"}
KEEPS_SIGN |= {"add", "mul"}
"""Operators that give none if they get none."""


def why_not(graph: Graph, use: WeightUse) -> str:
    """Why a layer can't read signs; empty where it can."""
    if groups_of(use) != 1:
        return "its channels are in groups, which have no common scale"
    if kind_of(use.node.target) == "conv":
        kernel = list(graph.tensor(use.weight).shape[2:])
        dilation, padding = (_each(argument(use.node, name), len(kernel)) for name in ("dilation", "padding"))
        if any(d != 1 for d in dilation) or any(2 * p > k for p, k in zip(padding, kernel, strict=True)):
            return "its kernel is dilated, or padded by more than half of it"
    if _floor(use.node.args[0]) is None and never_negative(use.node.args[0]):
        return "its inputs are never negative, so that every sign would be +1; put a batch normalisation before it"
    return ""


def read_signs(graph: Graph, use: WeightUse) -> None:
    """Gives a layer binary inputs and their scales, in place. Raises ValueError where `why_not` says so."""
    reason = why_not(graph, use)
    if reason:
        raise ValueError(reason)
    node, readers = use.node, list(use.node.users)
    bias = argument(node, "bias")
    with graph.module.graph.inserting_before(node):
        source = _signed(graph, node.args[0])
        signs = _signs(graph, source)
        scales = _scales(graph, use, source)
    node.args = (signs, node.args[1], None, *node.args[3:])
    with graph.module.graph.inserting_after(node):
        result = _call(graph, "mul.Tensor", node, scales)
    if isinstance(bias, fx.Node):
        with graph.module.graph.inserting_after(result):
            shaped = _call(graph, "view.default", bias, [-1, *[1] * (graph.tensor(use.weight).dim() - 2)])
        with graph.module.graph.inserting_after(shaped):
            result = _call(graph, "add.Tensor", result, shaped)
    for reader in readers:
        reader.replace_input_with(node, result)


def never_negative(value: Any, known: dict[fx.Node, bool] | None = None) -> bool:
    """Whether a value can't be negative, as far as its operators tell; `known` remembers what was asked before."""
    known = {} if known is None else known
    if not isinstance(value, fx.Node) or value.op != "call_function":
        return isinstance(value, int | float) and value >= 0
    if value not in known:
        name = name_of(value)
        parts: Any = value.args[0] if name == "cat" else value.args[: 2 if name in ("add", "mul") else 1]
        known[value] = name in POSITIVE or (name in KEEPS_SIGN and all(never_negative(part, known) for part in parts))
    return known[value]


def _signs(graph: Graph, source: fx.Node) -> fx.Node:
    """+1 for zero and above, -1 below."""
    bounded = _call(graph, "hardtanh.default", source)
    levels, edges = (_constant(graph, n, v) for n, v in (("levels", [-1.0, 1.0]), ("edges", [0.0])))
    return graph.module.graph.call_function(TARGETS["fitwright.snap.default"], (bounded, levels, edges))


def _scales(graph: Graph, use: WeightUse, source: fx.Node) -> fx.Node:
    """The mean magnitude under each position of the kernel: `[n, 1, ...]`; `[..., 1]` for a linear layer."""
    linear = kind_of(use.node.target) == "linear"
    mean = _call(graph, "mean.dim", _call(graph, "abs.default", source), [-1 if linear else 1], True)
    kernel = list(graph.tensor(use.weight).shape[2:])
    stride, padding = (_each(argument(use.node, n, 0), len(kernel)) for n in ("stride", "padding"))
    if linear or (set(kernel + stride) == {1} and not any(padding)):
        return mean
    return _call(graph, f"avg_pool{len(kernel)}d.default", mean, kernel, stride, padding)


def _signed(graph: Graph, value: Any) -> fx.Node:
    """A value without the activation that cut off its negative half; what moved it since is done again."""
    source: fx.Node = value.args[0] if name_of(value) in FLOORS else value
    if source is not value or _floor(value) is None:
        return source
    inner = _signed(graph, value.args[0])
    return graph.module.graph.node_copy(value, lambda n: inner if n is value.args[0] else n)


def _floor(value: Any) -> fx.Node | None:
    """The activation, behind nothing but data movement, that cut off the negative half; None where there is none."""
    while isinstance(value, fx.Node) and value.op == "call_function":
        if name_of(value) in FLOORS:
            return value
        if name_of(value) not in KEEPS_CODES:
            return None
        value = value.args[0]
    return None


def _constant(graph: Graph, name: str, numbers: list[float]) -> fx.Node:
    """A buffer that all layers share; under another name where the network has something else of that name."""
    tensor, path = torch.tensor(numbers), f"signs.{name}"
    buffers: dict[str, Tensor] = dict(graph.module.named_buffers())
    while path in dict(graph.module.named_parameters()) or not torch.equal(buffers.get(path, tensor), tensor):
        path += "_"
    if path not in buffers:
        graph.set_tensor(path, tensor, trainable=False)
    return graph.module.graph.get_attr(path)


def _each(value: Any, count: int) -> list[int]:
    """A size for each axis of the kernel."""
    row = [value] if isinstance(value, int) else list(value)
    return row * count if len(row) == 1 else row


def _call(graph: Graph, name: str, *args: Any) -> fx.Node:
    return graph.module.graph.call_function(TARGETS[f"aten.{name}"], args)
