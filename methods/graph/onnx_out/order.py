"""How order and what runs along one axis are written in ONNX: largest entries, sorts, sums so far, softmax."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import axis_of, refuse


def ordered(e: Emitter, item: Any) -> str:
    """A value whose entries can be compared: truth values as whole numbers."""
    return bits(e, item) if e.dtype(item) == torch.bool else e.value(item)


def bits(e: Emitter, item: Any) -> str:
    """Truth values as whole numbers."""
    return e.cast(e.value(item, torch.bool), torch.bool, torch.int64)


def extreme_place(op: str) -> Translator:
    """Where the largest or smallest entry is: along one axis, or in the flattened value."""

    def translate(e: Emitter, node: fx.Node) -> str:
        dim, value = argument(node, "dim"), ordered(e, node.args[0])
        if dim is not None:
            axis = int(dim) % max(1, len(e.shape(node.args[0])))
            return e.emit(op, [value], node, axis=axis, keepdims=int(bool(argument(node, "keepdim"))))
        return e.reshape(e.emit(op, [e.reshape(value, (-1,))], axis=0, keepdims=0), e.shape(node), node)

    return translate


def along(op: str, arg_op: str) -> Translator:
    """max.dim and min.dim: the entry, and where it is."""

    def translate(e: Emitter, node: fx.Node) -> list[str]:
        value, axis = ordered(e, node.args[0]), axis_of(node, len(e.shape(node.args[0])))
        keep = int(bool(argument(node, "keepdim", False)))
        best = e.emit(op, [value, e.ints([axis])], keepdims=keep)
        best = e.cast(best, torch.int64, torch.bool) if e.dtype(node) == torch.bool else best
        return [best, e.emit(arg_op, [value], axis=axis, keepdims=keep)]

    return translate


def top(e: Emitter, node: fx.Node) -> list[str]:
    """topk, sort and argsort: a sort is the top of as many as there are, smallest first."""
    source: Any = node.args[0]
    axis = axis_of(node, len(e.shape(source)), default=-1)
    count, largest = (
        argument(node, "k", e.shape(source)[axis]),
        argument(node, "largest", argument(node, "descending", True)),
    )
    if isinstance(count, fx.Node) or count < 0:
        raise refuse(node, "it orders the batch, whose size is free", "go along another axis")
    inputs = [ordered(e, source), e.ints([int(count)])]
    best, places = e.emit_many("TopK", inputs, 2, axis=axis, largest=int(bool(largest)), sorted=1)
    return [e.cast(best, torch.int64, torch.bool) if e.dtype(source) == torch.bool else best, places]


def running_sum(e: Emitter, node: fx.Node) -> str:
    axis = e.constant(np.array(axis_of(node, len(e.shape(node)))))
    return e.emit("CumSum", [e.value(node.args[0], e.dtype(node)), axis], node)


def running_product(e: Emitter, node: fx.Node) -> str:
    """Products so far, by doubling: each step multiplies by the product that ends as far back as has been joined."""
    shape, axis = e.shape(node), axis_of(node, len(e.shape(node)))
    if shape[axis] < 0:
        raise refuse(node, "it goes along the batch, whose size is free", "go along another axis")
    value, reach = e.value(node.args[0], e.dtype(node)), 1
    while reach < shape[axis]:
        first = [e.ints([v]) for v in (0, reach)]
        moved = e.emit("Slice", [value, e.ints([0]), e.ints([shape[axis] - reach]), e.ints([axis])])
        head = e.emit("Slice", [value, *first, e.ints([axis])])
        tail = e.emit("Slice", [value, e.ints([reach]), e.ints([2**62]), e.ints([axis])])
        value = e.emit("Concat", [head, e.emit("Mul", [tail, moved])], axis=axis)
        reach *= 2
    return e.emit("Identity", [value], node)


def softmax(op: str) -> Translator:
    """softmax and log_softmax along one axis."""

    def translate(e: Emitter, node: fx.Node) -> str:
        return e.emit(op, [e.value(node.args[0], e.dtype(node))], node, axis=axis_of(node, len(e.shape(node))))

    return translate


TABLE: Mapping[str, Translator] = {
    "topk": top,
    "sort": top,
    "argmax": extreme_place("ArgMax"),
    "argmin": extreme_place("ArgMin"),
    "max": along("ReduceMax", "ArgMax"),
    "min": along("ReduceMin", "ArgMin"),
    "argsort": lambda e, n: top(e, n)[1],
    "softmax": softmax("Softmax"),
    "log_softmax": softmax("LogSoftmax"),
    "cumsum": running_sum,
    "cumprod": running_product,
}
