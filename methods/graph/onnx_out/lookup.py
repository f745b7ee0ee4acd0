"""How values are looked up by position in ONNX: embeddings and indices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import axis_of, refuse, to_numpy


def indices(e: Emitter, item: Any) -> str:
    """Positions: 32-bit ones that come from outside are read as they are."""
    if isinstance(item, fx.Node) and item in e.raw and e.dtype(item) == torch.int32:
        return e.raw[item]
    return e.value(item, torch.int64)


def embedding(e: Emitter, node: fx.Node) -> str:
    return e.emit("Gather", [e.value(argument(node, "weight")), indices(e, argument(node, "indices"))], node)


def index_select(e: Emitter, node: fx.Node) -> str:
    inputs = [e.value(node.args[0]), indices(e, argument(node, "index"))]
    return e.emit("Gather", inputs, node, axis=axis_of(node, len(e.shape(node))))


def gather(e: Emitter, node: fx.Node) -> str:
    axis, index = axis_of(node, len(e.shape(node))), indices(e, argument(node, "index"))
    return e.emit("GatherElements", [e.value(node.args[0]), index], node, axis=axis)


def positions(e: Emitter, node: fx.Node) -> dict[int, Any]:
    """Axis -> what indexes it. A mask that is known becomes positions, one that is not has no fixed shape."""
    found: dict[int, Any] = {}
    axis = 0
    for item in argument(node, "indices"):
        if item is not None and e.dtype(item) in (torch.bool, torch.uint8):
            if item not in e.constants:
                raise refuse(node, "a mask picks a number of entries that depends on values", "use torch.where")
            for places in np.nonzero(to_numpy(e.fold(item))):
                found[axis] = e.constant(places.astype(np.int64)), tuple(places.shape)
                axis += 1
            continue
        if item is not None:
            found[axis] = indices(e, item), e.shape(item)
        axis += 1
    return found


def stacked(e: Emitter, found: dict[int, Any]) -> tuple[str, int]:
    """Several indices as one tensor of coordinates, and the rank that they broadcast to."""
    rank = max(len(shape) for _, shape in found.values())
    names = [e.emit("Cast", [name], to=7) for name, _ in found.values()]
    if len({shape for _, shape in found.values()}) > 1:
        total = names[0]
        for name in names[1:]:
            total = e.emit("Add", [total, name])
        goal = e.emit("Shape", [total])
        names = [e.emit("Expand", [name, goal]) for name in names]
    return e.emit("Concat", [e.emit("Unsqueeze", [name, e.ints([rank])]) for name in names], axis=rank), rank


def index(e: Emitter, node: fx.Node) -> str:
    """value[..., i, j, ...]: the axes that are indexed move to the front for GatherND, and what was found to where
    they stood if they stood side by side."""
    source, found = node.args[0], positions(e, node)
    if len(found) == 1:
        axis, (name, _) = next(iter(found.items()))
        return e.emit("Gather", [e.value(source), name], node, axis=axis)
    axes, rank = list(found), len(e.shape(source))
    rest = [axis for axis in range(rank) if axis not in axes]
    value = e.value(source)
    if axes != list(range(len(axes))):
        value = e.emit("Transpose", [value], perm=[*axes, *rest])
    where, depth = stacked(e, found)
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    before = axes[0] if together else 0
    if not before:
        return e.emit("GatherND", [value, where], node)
    value = e.emit("GatherND", [value, where])
    order = [*range(depth, depth + before), *range(depth), *range(depth + before, depth + len(rest))]
    return e.emit("Transpose", [value], node, perm=order)


TABLE: Mapping[str, Translator] = {
    "embedding": embedding,
    "index_select": index_select,
    "gather": gather,
    "index": index,
}
