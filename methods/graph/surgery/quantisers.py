"""Where quantisers of activations go, the ranges that they must cover, and putting them there.

A layer's input is quantised, and its output behind the activation that follows it; data movement in between keeps the
codes, so behind it the same quantiser stands again, as integer runtimes expect it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.norms import scale_and_shift
from methods.graph.observe import observe
from methods.graph.ops import NAMES, kind_of
from methods.graph.surgery.forms import quantise_operand, quantise_value, scale_weight, set_bias

Settings = tuple[float, int, int, int]
"""Scale, zero point, lowest and highest code."""

FUSED = ("relu", "relu6")
KEEPS_CODES = {"max_pool1d", "max_pool2d", "view", "reshape", "flatten", "permute", "transpose", "t", "unsqueeze"}
KEEPS_CODES |= {"squeeze", "unflatten", "slice", "select", "dropout", "clone", "contiguous", "alias", "detach"}
"""Operators that move or pick values and make no new ones in evaluation mode."""


def points(layers: Sequence[fx.Node]) -> list[str]:
    """Names of the values to quantise so that every one of `layers` reads and writes codes.

    Class scores stay exact: the output of a linear layer that nothing but the network's output reads is left out.
    """
    found: dict[fx.Node, None] = {}
    for node in layers:
        end = _end(node)
        only_output = all(u.op == "output" for u in end.users)
        if not _quantiser_of(end) and not (only_output and kind_of(node.target) == "linear"):
            found[end] = None
    for node in layers:
        source = _operand(node)
        start = _start(source)
        if start not in found and kind_of(start.target) != "quantize":
            found[source] = None
    return [node.name for node in found]


def ranges(
    graph: Graph, names: Sequence[str], inputs: tuple[Tensor, ...], percentile: float = 100.0
) -> dict[str, tuple[float, float]]:
    """Value name -> the least and largest number seen; below 100, so many per cent of them, averaged over batches."""
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for seen in observe(graph, inputs, names):
        for name, value in seen.items():
            rows[name].append(_range(value, percentile))
    if percentile < 100.0:
        return {n: (sum(a for a, _ in r) / len(r), sum(b for _, b in r) / len(r)) for n, r in rows.items()}
    return {name: (min(a for a, _ in r), max(b for _, b in r)) for name, r in rows.items()}


def quantise_points(graph: Graph, layers: Sequence[fx.Node], settings: Mapping[str, Settings]) -> None:
    """Puts a quantiser behind every named value and, with the same settings, in front of each layer further down."""
    for name, values in settings.items():
        quantise_value(graph, graph.node(name), *values)
    for node in layers:
        source = _operand(node)
        start = _start(source)
        if start is source or kind_of(start.target) != "quantize":
            continue
        scale, zero_point, low, high = start.args[1:5]
        known = [u for u in source.users if kind_of(u.target) == "quantize" and u.args[1:] == start.args[1:]]
        made = known[0] if known else quantise_operand(graph, node, source, (scale, zero_point, low, high))  # type: ignore[arg-type]
        node.update_arg(0, made)


def fold_norm(graph: Graph, use: WeightUse) -> None:
    """Folds the batch normalisation that alone reads a layer, if there is one, into that layer's weight and bias."""
    readers = list(use.node.users)
    if len(readers) != 1 or kind_of(readers[0].target) != "batch_norm" or kind_of(use.node.target) == "conv_transpose":
        return
    norm = readers[0]
    factors, shift = scale_and_shift(graph, norm)
    weight = value_of(graph, use.node.args[1])
    factors = factors.view(-1, *[1] * (weight.dim() - 1))
    if use.node.args[1] is use.source and len(use.source.users) == 1:
        graph.set_tensor(use.weight, weight * factors, trainable=True)
    else:
        scale_weight(graph, use, factors)
    bias = use.node.args[2] if len(use.node.args) > 2 else None
    set_bias(graph, use, shift if bias is None else value_of(graph, bias) * factors.reshape(-1) + shift)
    norm.replace_all_uses_with(use.node)
    graph.module.graph.erase_node(norm)


def value_of(graph: Graph, node: object) -> Tensor:
    """The value of a node that depends on parameters alone."""
    assert isinstance(node, fx.Node)
    if node.op == "get_attr":
        return graph.tensor(str(node.target)).detach()
    with torch.no_grad():
        value: Tensor = node.target(*fx.map_arg(node.args, lambda n: value_of(graph, n)))  # type: ignore[operator]
    return value


def _operand(layer: fx.Node) -> fx.Node:
    source = layer.args[0]
    assert isinstance(source, fx.Node)
    return source


def _end(layer: fx.Node) -> fx.Node:
    """The value that the layer's kernel writes: behind the activation, where that alone reads the layer."""
    readers = list(layer.users)
    return readers[0] if len(readers) == 1 and _name(readers[0]) in FUSED else layer


def _start(value: fx.Node) -> fx.Node:
    """Where a value was made, before it was moved about."""
    while _name(value) in KEEPS_CODES and isinstance(value.args[0], fx.Node):
        value = value.args[0]
    return value


def _quantiser_of(value: fx.Node) -> bool:
    return any(kind_of(u.target) == "quantize" for u in value.users)


def _name(node: fx.Node) -> str:
    if node.op != "call_function":
        return ""
    return NAMES.get(node.target, "").removeprefix("aten.").split(".")[0]  # type: ignore[arg-type]


def _range(value: Tensor, percentile: float) -> tuple[float, float]:
    flat = value.detach().reshape(-1)
    out = int(flat.numel() * (100.0 - percentile) / 100.0)
    if out == 0:
        return float(flat.min()), float(flat.max())
    return float(flat.kthvalue(out + 1).values), float(flat.kthvalue(flat.numel() - out).values)
