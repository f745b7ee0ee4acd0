"""How values are written to positions in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.lookup import indices, positions, stacked
from methods.graph.onnx_out.types import axis_of, refuse


def index_put(e: Emitter, node: fx.Node) -> str:
    """Entries overwritten, or added to, at coordinates along the first axes."""
    mask = argument(node, "indices")[0]
    if len(argument(node, "indices")) == 1 and mask is not None and e.dtype(mask) == torch.bool:
        return _masked_put(e, node, mask)
    found, wanted, rank = positions(e, node), e.dtype(node), len(e.shape(node))
    axes, rest = list(found), [axis for axis in range(rank) if axis not in found]
    where, depth = stacked(e, found)
    before = axes[0] if axes == list(range(axes[0], axes[0] + len(axes))) else 0
    value = e.emit("Transpose", [e.value(node.args[0])], perm=[*axes, *rest])
    values = _spread(e, node, e.value(argument(node, "values"), wanted), (value, where), (len(axes), depth, before))
    made = e.emit("ScatterND", [value, where, values], reduction="add" if argument(node, "accumulate") else "none")
    return e.emit("Transpose", [made], node, perm=[[*axes, *rest].index(axis) for axis in range(rank)])


def _spread(e: Emitter, node: fx.Node, values: str, names: tuple[str, str], ranks: tuple[int, int, int]) -> str:
    """What is put, in the shape of what it replaces; torch keeps `before` axes in front of those of the indices."""
    (value, where), (count, depth, before) = names, ranks
    after = len(e.shape(node)) - count - before
    head, middle = (
        e.emit("Shape", [value], start=count, end=count + before),
        e.emit("Shape", [where], end=depth, start=0),
    )
    tail = e.emit("Shape", [value], start=count + before)
    wide = e.emit("Expand", [values, e.emit("Concat", [head, middle, tail], axis=0)])
    order = [*range(before, before + depth), *range(before), *range(before + depth, before + depth + after)]
    return e.emit("Transpose", [wide], perm=order)


def _masked_put(e: Emitter, node: fx.Node, mask: fx.Node) -> str:
    values: Any = argument(node, "values")
    if e.shape(values) not in ((), (1,)) or argument(node, "accumulate"):
        raise refuse(node, "it writes as many values as a mask has truths", "write one value, or use torch.where")
    shape = e.shape(mask) + (1,) * (len(e.shape(node)) - len(e.shape(mask)))
    kept = torch.int64 if e.dtype(node) == torch.bool else e.dtype(node)
    names = [e.reshape(e.value(mask), shape), e.value(values, kept), e.value(node.args[0], kept)]
    return e.cast(e.emit("Where", names), kept, e.dtype(node), node)


def scatter(e: Emitter, node: fx.Node) -> str:
    """Entries overwritten, or added to, at positions along one axis."""
    name, place = argument(node, "index"), axis_of(node, len(e.shape(node)))
    values, wanted = argument(node, "src", argument(node, "value")), e.dtype(node)
    where = indices(e, name)
    if isinstance(values, fx.Node):
        made = e.value(values, wanted)
        if e.shape(values) != e.shape(name):
            size = e.full_shape(e.shape(name))
            made = e.emit("Slice", [made, e.ints([0] * len(e.shape(name))), size])
    else:
        made = e.emit("Expand", [e.value(values, wanted), e.emit("Shape", [where])])
    settings = {"reduction": "add"} if "scatter_add" in str(node.target) else {}
    return e.emit("ScatterElements", [e.value(node.args[0]), where, made], node, axis=place, **settings)


def index_add(e: Emitter, node: fx.Node) -> str:
    """Slices added at positions along one axis."""
    shape, axis, source = e.shape(node), axis_of(node, len(e.shape(node))), argument(node, "source")
    factor, wanted = argument(node, "alpha", 1), e.dtype(node)
    values = e.value(source, wanted)
    if factor != 1:
        values = e.emit("Mul", [values, e.value(factor, wanted)])
    view = tuple(e.shape(argument(node, "index"))[0] if i == axis else 1 for i in range(len(shape)))
    where = e.emit("Expand", [e.reshape(indices(e, argument(node, "index")), view), e.emit("Shape", [values])])
    inputs = [e.value(node.args[0]), where, values]
    return e.emit("ScatterElements", inputs, node, axis=axis, reduction="add")


def replaced(e: Emitter, node: fx.Node) -> str:
    """slice_scatter and select_scatter: a slice of one axis is another value. The positions of the slice along the
    axis, from the same slice of all its positions, say where the new entries go."""
    shape, axis = e.shape(node), axis_of(node, len(e.shape(node)))
    if shape[axis] < 0:
        raise refuse(node, "it writes to a slice of the batch, whose size is free", "write along another axis")
    every = np.arange(shape[axis])
    values = e.value(argument(node, "src"), e.dtype(node))
    if "select" in str(node.target):
        every = every[[int(argument(node, "index"))]]
        values = e.emit("Unsqueeze", [values, e.ints([axis])])
    else:
        every = every[int(argument(node, "start") or 0) : argument(node, "end") : int(argument(node, "step", 1))]
    view = tuple(-1 if i == axis else 1 for i in range(len(shape)))
    where = e.emit("Expand", [e.constant(every.reshape(view)), e.emit("Shape", [values])])
    return e.emit("ScatterElements", [e.value(node.args[0]), where, values], node, axis=axis)


TABLE: Mapping[str, Translator] = {
    "index_put": index_put,
    "scatter": scatter,
    "scatter_add": scatter,
    "index_add": index_add,
    "slice_scatter": replaced,
    "select_scatter": replaced,
}
