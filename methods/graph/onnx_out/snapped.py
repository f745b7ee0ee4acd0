"""How rounding of activations to levels is written in ONNX. Weights on levels are constants by the time of export."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import refuse, to_numpy


def snap(e: Emitter, node: fx.Node) -> str:
    """The level of the cell: one of two by a comparison, one of more by how many edges are reached."""
    levels, edges = (to_numpy(e.fold(argument(node, name)).float()) for name in ("levels", "edges"))
    if levels.ndim > 1:
        raise refuse(node, "levels of activations can't have rows", "give one row of levels")
    value = e.value(node.args[0])
    if len(levels) == 1:
        return e.emit("Expand", [e.floats(levels[0]), e.emit("Shape", [value])], node)
    if len(levels) == 2:
        above = e.emit("GreaterOrEqual", [value, e.floats(edges[0])])
        return e.emit("Where", [above, e.floats(levels[1]), e.floats(levels[0])], node)
    reached = e.emit("GreaterOrEqual", [e.emit("Unsqueeze", [value, e.ints([-1])]), e.constant(np.asarray(edges))])
    cell = e.emit("ReduceSum", [e.cast(reached, torch.bool, torch.int64), e.ints([-1])], keepdims=0)
    return e.emit("Gather", [e.constant(np.asarray(levels)), cell], node)


TABLE: Mapping[str, Translator] = {"fitwright.snap.default": snap}
