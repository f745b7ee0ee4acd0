"""The layers of a quantised graph in whole numbers: what a runtime without floating point executes.

Reference: Jacob et al., 2018, arXiv 1712.05877.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument, name_of
from methods.graph.ops import kind_of
from methods.graph.surgery.learned_steps import FIXED
from methods.graph.values import value_of
from methods.graph.weight_chain import chain_of
from methods.numerics.affine import Affine, quantise
from methods.numerics.integer import Geometry, IntegerLayer, integer_layer

AXES = ("stride", "padding", "dilation")


def integer_layers(graph: Graph) -> dict[str, tuple[IntegerLayer, str, str]]:
    """Layer's node -> the layer in whole numbers, and the nodes of the quantisers before and behind it.

    For each convolution and linear layer whose input, weight and output have fixed codes; a ReLU in between is what
    the output's lowest code does. The graph has to be settled.
    """
    found = {}
    for use in graph.weight_uses():
        before, behind = use.node.all_input_nodes[0], _behind(use.node)
        chain = chain_of(use.node.args[1])
        rounding = None if chain is None else chain.rounding
        if rounding is use.node.args[1] and _is(rounding, FIXED[1]) and _is(before, FIXED[0]) and behind:
            layer = _layer(graph, use, rounding, before, behind)
            found[use.node.name] = (layer, before.name, behind.name)
    return found


def _layer(graph: Graph, use: WeightUse, rounding: Any, before: Any, behind: fx.Node) -> IntegerLayer:
    weight, scale, zero = (value_of(graph, a).numpy() for a in rounding.args[:3])
    codes = Affine(scale.astype(np.float32), zero.astype(np.int64), *rounding.args[4:6])
    bias = argument(use.node, "bias")
    geometry = Geometry()
    if kind_of(use.node.target) == "conv":
        stride, padding, dilation = (_each(argument(use.node, n), weight.ndim - 2) for n in AXES)
        geometry = Geometry(stride, padding, dilation, int(argument(use.node, "groups")))
    offsets = None if bias is None else value_of(graph, bias).numpy()
    steps = quantise(weight, codes).astype(np.int64)
    return integer_layer(steps, codes, offsets, affine_at(before), affine_at(behind), geometry)


def affine_at(quantiser: Any) -> Affine:
    """The codes of an activation's quantiser."""
    scale, zero, low, high = quantiser.args[1:5]
    return Affine(np.asarray(scale, np.float32), np.asarray(zero, np.int64), low, high)


def _behind(layer: fx.Node) -> fx.Node | None:
    """The quantiser that alone reads a layer, or its ReLU, whose zero is then the lowest code."""
    readers = list(layer.users)
    cut = len(readers) == 1 and _is(readers[0], "relu")
    readers = list(readers[0].users) if cut else readers
    if len(readers) != 1 or not _is(readers[0], FIXED[0]):
        return None
    return readers[0] if not cut or readers[0].args[2] == readers[0].args[3] else None


def _is(node: Any, name: str) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_function" and name_of(node) == name


def _each(value: Any, rank: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    numbers = [int(v) for v in value] if isinstance(value, list | tuple) else [int(value)]
    return tuple(numbers * rank) if len(numbers) == 1 else tuple(numbers)
