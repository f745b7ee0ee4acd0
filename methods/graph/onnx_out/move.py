"""How data movement is written in ONNX: shapes, order of axes, joining and cutting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import axis_of
from methods.graph.ops import kind_of

END = 2**62
"""Behind the end of any axis."""


def reshape(e: Emitter, node: fx.Node) -> str:
    return e.reshape(e.value(node.args[0]), e.shape(node), node)


def transpose(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node))
    order = list(range(rank))
    if "permute" in str(node.target):
        order = [int(d) % rank for d in argument(node, "dims")]
    elif rank > 1:
        a, b = int(argument(node, "dim0", 0)) % rank, int(argument(node, "dim1", 1)) % rank
        order[a], order[b] = order[b], order[a]
    return e.emit("Transpose", [e.value(node.args[0])], node, perm=order)


def move_axes(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node))
    lists = [argument(node, n) for n in ("source", "destination")]
    given, wanted = ([int(d) % rank for d in ([x] if isinstance(x, int) else x)] for x in lists)
    rest = iter([axis for axis in range(rank) if axis not in given])
    order = [given[wanted.index(axis)] if axis in wanted else next(rest) for axis in range(rank)]
    return e.emit("Transpose", [e.value(node.args[0])], node, perm=order)


def expand(e: Emitter, node: fx.Node) -> str:
    return e.emit("Expand", [e.value(node.args[0]), e.full_shape(e.shape(node))], node)


def concat(e: Emitter, node: fx.Node) -> str:
    """Joined along an axis; torch passes over empty vectors among the parts."""
    parts: Any = node.args[0]
    rank = len(e.shape(node))
    kept = [p for p in parts if rank == 1 or e.shape(p) != (0,)]
    return e.emit("Concat", [e.value(p, e.dtype(node)) for p in kept], node, axis=axis_of(node, rank))


def stack(e: Emitter, node: fx.Node) -> str:
    axis, parts = axis_of(node, len(e.shape(node))), node.args[0]
    values = [e.emit("Unsqueeze", [e.value(v, e.dtype(node)), e.ints([axis])]) for v in parts]  # type: ignore[union-attr]
    return e.emit("Concat", values, node, axis=axis)


def split(e: Emitter, node: fx.Node) -> list[str]:
    dim = axis_of(node, len(e.shape(node)))
    sizes = tuple(fact.shape[dim] for fact in e.facts[node])
    if len(sizes) == 1:
        return [e.value(node.args[0])]
    return e.emit_many("Split", [e.value(node.args[0]), e.full_shape(sizes)], len(sizes), axis=dim)


def unbind(e: Emitter, node: fx.Node) -> list[str]:
    axis, source = axis_of(node, len(e.shape(node)) + 1), e.value(node.args[0])
    count = len(e.facts[node])
    return [e.emit("Gather", [source, e.constant(np.array(i))], axis=axis) for i in range(count)]


def bound(e: Emitter, item: Any, default: int) -> str:
    """A number or size as a tensor `[1]`."""
    if isinstance(item, fx.Node):
        return e.reshape(e.value(item), (1,))
    return e.ints([default if item is None else max(-END, min(int(item), END))])


def repeat(e: Emitter, node: fx.Node) -> str:
    """Tile, with new axes in front."""
    source: Any = node.args[0]
    rank, before = len(e.shape(node)), len(e.shape(source))
    times = list(argument(node, "repeats", argument(node, "dims")))
    times = [1] * (rank - len(times)) + times
    value = e.value(source)
    if rank > before:
        value = e.emit("Unsqueeze", [value, e.ints(list(range(rank - before)))])
    if all(isinstance(t, int) for t in times):
        return e.emit("Tile", [value, e.ints(times)], node)
    return e.emit("Tile", [value, e.emit("Concat", [bound(e, t, 1) for t in times], axis=0)], node)


def cut(e: Emitter, node: fx.Node) -> str:
    axis = axis_of(node, len(e.shape(node)))
    bounds = [bound(e, argument(node, "start"), 0), bound(e, argument(node, "end"), END)]
    steps = [e.ints([axis]), e.ints([int(argument(node, "step", 1))])]
    return e.emit("Slice", [e.value(node.args[0]), *bounds, *steps], node)


def narrow(e: Emitter, node: fx.Node) -> str:
    axis, start = axis_of(node, len(e.shape(node))), int(argument(node, "start"))
    length = argument(node, "length")
    if isinstance(length, fx.Node):
        end = e.emit("Add", [bound(e, length, 0), e.ints([start])])
    else:
        end = e.ints([start + int(length) if start >= 0 or start + int(length) < 0 else END])
    return e.emit("Slice", [e.value(node.args[0]), e.ints([start]), end, e.ints([axis])], node)


def select(e: Emitter, node: fx.Node) -> str:
    index = argument(node, "index")
    name = e.value(index) if isinstance(index, fx.Node) else e.constant(np.array(int(index)))
    return e.emit("Gather", [e.value(node.args[0]), name], node, axis=axis_of(node, len(e.shape(node)) + 1))


def flip(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node))
    axes = [int(d) % rank for d in argument(node, "dims")]
    ends = [e.ints([v] * len(axes)) for v in (-1, -END)]
    return e.emit("Slice", [e.value(node.args[0]), *ends, e.ints(axes), e.ints([-1] * len(axes))], node)


def picked(e: Emitter, node: fx.Node) -> str:
    """One of several results."""
    source: Any = node.args[0]
    if kind_of(source.target) == "size":
        return e.value(source)
    if source not in e.names:
        return e.value(node)
    return str(e.names[source][node.args[1]])


TABLE: Mapping[str, Translator] = (
    dict.fromkeys(("view", "reshape", "flatten", "unsqueeze", "squeeze", "unflatten"), reshape)
    | dict.fromkeys(("permute", "transpose", "t"), transpose)
    | dict.fromkeys(("split", "split_with_sizes", "chunk"), split)
    | dict.fromkeys(("expand", "expand_as"), expand)
    | dict.fromkeys(("repeat", "tile"), repeat)
    | {
        "movedim": move_axes,
        "cat": concat,
        "stack": stack,
        "unbind": unbind,
        "slice": cut,
        "narrow": narrow,
        "select": select,
        "flip": flip,
    }
)
