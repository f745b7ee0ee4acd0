"""How values out of nothing are written in ONNX, and arithmetic on sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import axis_of, refuse


def filled(number: float | None) -> Translator:
    """One number everywhere; None reads it from the node."""

    def translate(e: Emitter, node: fx.Node) -> str:
        item: Any = argument(node, "fill_value") if number is None else number
        if not isinstance(item, fx.Node):
            item = torch.tensor(item, dtype=e.dtype(node)).item()
        return e.emit("Expand", [e.value(item, e.dtype(node)), e.full_shape(e.shape(node))], node)

    return translate


def counted(e: Emitter, node: fx.Node) -> str:
    """arange, whose bounds may depend on the batch size."""
    wanted = e.dtype(node)
    bounds = [
        e.value(argument(node, name, default), wanted) for name, default in (("start", 0), ("end", 0), ("step", 1))
    ]
    return e.emit("Range", [e.reshape(b, ()) for b in bounds], node)


def identity(e: Emitter, node: fx.Node) -> str:
    """Ones on the diagonal, also where a side is the batch."""
    rows, columns = e.shape(node)
    positions = [_positions(e, size) for size in (rows, columns)]
    views = [e.emit("Unsqueeze", [p, e.ints([axis])]) for p, axis in zip(positions, (1, 0), strict=True)]
    return e.cast(e.emit("Equal", views), torch.bool, e.dtype(node), node)


def _positions(e: Emitter, size: int) -> str:
    if size >= 0:
        return e.constant(np.arange(size))
    count = e.reshape(e.full_shape((size,)), ())
    return e.emit("Range", [e.value(0), count, e.value(1)])


def scalar(e: Emitter, node: fx.Node) -> str:
    return e.cast(e.value(node.args[0]), e.dtype(node.args[0]), e.dtype(node), node)


def triangle(upper: bool) -> Translator:
    """The part on one side of a diagonal; truth values by way of integers."""

    def translate(e: Emitter, node: fx.Node) -> str:
        wanted = e.dtype(node)
        offset = e.constant(np.array(int(argument(node, "diagonal", 0))))
        if wanted != torch.bool:
            return e.emit("Trilu", [e.value(node.args[0]), offset], node, upper=int(upper))
        made = e.emit("Trilu", [e.value(node.args[0], torch.int64), offset], upper=int(upper))
        return e.cast(made, torch.int64, wanted, node)

    return translate


def one_hot(e: Emitter, node: fx.Node) -> str:
    """Ones at the position that each entry names, along a new last axis."""
    count = e.shape(node)[-1]
    if int(argument(node, "num_classes", -1)) < 0:
        raise refuse(node, "the number of classes would depend on values", "give num_classes")
    codes = e.emit("Unsqueeze", [e.value(node.args[0], torch.int64), e.ints([-1])])
    return e.cast(e.emit("Equal", [codes, e.constant(np.arange(count))]), torch.bool, torch.int64, node)


def bucketize(e: Emitter, node: fx.Node) -> str:
    """How many boundaries lie below each entry (or at it, where `right`)."""
    right = bool(argument(node, "right", False)) or argument(node, "side") == "right"
    edges: Any = argument(node, "boundaries", argument(node, "sorted_sequence"))
    entries: Any = node.args[0] if "bucketize" in str(node.target) else node.args[1]
    common = torch.promote_types(e.dtype(edges), e.dtype(entries))
    value = e.emit("Unsqueeze", [e.value(entries, common), e.ints([-1])])
    limits = e.value(edges, common)
    if len(e.shape(edges)) > 1:
        limits = e.emit("Unsqueeze", [limits, e.ints([-2])])
    passed = e.emit("GreaterOrEqual" if right else "Greater", [value, limits])
    counted = e.cast(passed, torch.bool, torch.int64)
    return e.emit("ReduceSum", [counted, e.ints([-1])], node, keepdims=0)


def size(e: Emitter, node: fx.Node) -> str:
    """One size of a value, or the number of its entries."""
    source: Any = node.args[0]
    if "numel" in str(node.target):
        return e.emit("Size", [e.value(source)], node)
    axis = axis_of(node, len(e.shape(source)))
    found = e.emit("Shape", [e.value(source)], start=axis, end=axis + 1)
    return e.emit("Squeeze", [found], node)


def arithmetic(op: str) -> Translator:
    """Two sizes or numbers, as scalars."""

    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = (e.value(a) for a in node.args)
        if op != "Div":
            return e.emit(op, [left, right], node)
        return e.emit("Div", [e.emit("Sub", [left, e.emit("Mod", [left, right])]), right], node)

    return translate


TABLE: Mapping[str, Translator] = (
    dict.fromkeys(("zeros", "zeros_like", "new_zeros"), filled(0))
    | dict.fromkeys(("ones", "ones_like", "new_ones"), filled(1))
    | dict.fromkeys(("full", "full_like", "new_full"), filled(None))
    | dict.fromkeys(("bucketize", "searchsorted"), bucketize)
    | dict.fromkeys(("sym_size", "sym_numel"), size)
    | {
        "arange": counted,
        "eye": identity,
        "scalar_tensor": scalar,
        "tril": triangle(upper=False),
        "triu": triangle(upper=True),
        "one_hot": one_hot,
        "operator.mul": arithmetic("Mul"),
        "operator.add": arithmetic("Add"),
        "operator.sub": arithmetic("Sub"),
        "operator.floordiv": arithmetic("Div"),
        "operator.mod": arithmetic("Mod"),
        "operator.neg": lambda e, n: e.emit("Neg", [e.value(n.args[0])], n),
    }
)
