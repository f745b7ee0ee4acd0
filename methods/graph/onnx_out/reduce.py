"""How reductions over axes are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.order import bits
from methods.graph.onnx_out.types import refuse


def axes_of(e: Emitter, node: fx.Node) -> list[int]:
    """The axes that a reduction goes over; all where none are given."""
    rank, dim = len(e.shape(node.args[0])), argument(node, "dim")
    given = [dim] if isinstance(dim, int) else list(dim or [])
    return [int(d) % max(1, rank) for d in given] or list(range(rank))


def over(e: Emitter, op: str, value: str, node: fx.Node, named: bool = True) -> str:
    """`op` over the node's axes."""
    inputs = [value] + ([e.ints(axes)] if (axes := axes_of(e, node)) else [])
    return e.emit(op, inputs, node if named else None, keepdims=int(bool(argument(node, "keepdim", False))))


def reduce(op: str) -> Translator:
    """A reduction that ONNX has, in the type of the result."""
    return lambda e, node: over(e, op, e.value(node.args[0], e.dtype(node)), node)


def logical(op: str) -> Translator:
    """any and all, as the largest and the smallest of zeros and ones."""

    def translate(e: Emitter, node: fx.Node) -> str:
        found = over(e, op, bits(e, node.args[0]), node, named=False)
        return e.cast(found, torch.int64, torch.bool, node)

    return translate


def extreme(op: str) -> Translator:
    """amax and amin; truth values by way of integers."""

    def translate(e: Emitter, node: fx.Node) -> str:
        wanted = e.dtype(node)
        if wanted != torch.bool:
            return over(e, op, e.value(node.args[0]), node)
        return e.cast(over(e, op, bits(e, node.args[0]), node, named=False), torch.int64, wanted, node)

    return translate


def variance(e: Emitter, node: fx.Node, root: bool, name: fx.Node | None) -> tuple[str, str]:
    """Variance or its root, and the mean, with `correction` taken from the count (1 unless told otherwise)."""
    value, axes, shape = e.value(node.args[0]), axes_of(e, node), e.shape(node.args[0])
    unbiased = argument(node, "unbiased", True)
    correction = argument(node, "correction", int(unbiased))
    correction = 1 if correction is None else float(correction)
    if any(shape[a] < 0 for a in axes):
        raise refuse(node, "it goes over the batch, whose size is free", "reduce each sample by itself")
    count = int(np.prod([shape[a] for a in axes]))
    keep = int(bool(argument(node, "keepdim", False)))
    mean = e.emit("ReduceMean", [value, e.ints(axes)], keepdims=1)
    gap = e.emit("Sub", [value, mean])
    total = e.emit("ReduceSum", [e.emit("Mul", [gap, gap]), e.ints(axes)], keepdims=keep)
    divisor = e.floats(max(0.0, count - correction))
    found = e.emit("Div", [total, divisor], None if root else name)
    found = e.emit("Sqrt", [found], name) if root else found
    return found, mean if keep else e.emit("Squeeze", [mean, e.ints(axes)])


def spread(root: bool) -> Translator:
    return lambda e, node: variance(e, node, root, node)[0]


def spread_and_mean(root: bool) -> Translator:
    return lambda e, node: list(variance(e, node, root, None))


def norm(e: Emitter, node: fx.Node) -> str:
    """(sum |x|^p)^(1/p), with its limits for 0 and infinity."""
    power = argument(node, "p", argument(node, "ord", 2))
    power, value = 2.0 if power is None else float(power), e.value(node.args[0], e.dtype(node))
    if power in (1.0, 2.0):
        return over(e, f"ReduceL{int(power)}", value, node)
    size = e.emit("Abs", [value])
    if np.isinf(power):
        return over(e, "ReduceMax" if power > 0 else "ReduceMin", size, node)
    if power == 0:
        return over(e, "ReduceSum", e.emit("Sign", [size]), node)
    total = over(e, "ReduceSum", e.emit("Pow", [size, e.floats(power)]), node, named=False)
    return e.emit("Pow", [total, e.floats(1 / power)], node)


TABLE: Mapping[str, Translator] = dict.fromkeys(("norm", "linalg_vector_norm"), norm) | {
    "mean": reduce("ReduceMean"),
    "sum": reduce("ReduceSum"),
    "prod": reduce("ReduceProd"),
    "logsumexp": reduce("ReduceLogSumExp"),
    "amax": extreme("ReduceMax"),
    "amin": extreme("ReduceMin"),
    "any": logical("ReduceMax"),
    "all": logical("ReduceMin"),
    "var": spread(root=False),
    "std": spread(root=True),
    "var_mean": spread_and_mean(root=False),
    "std_mean": spread_and_mean(root=True),
}
