"""How the rarer operators on several tensors, number by number, are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.binary import combine
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import refuse


def _pair(e: Emitter, node: fx.Node) -> tuple[str, str]:
    left, right = node.args[:2]
    return e.value(left, e.dtype(node)), e.value(right, e.dtype(node))


def atan2(e: Emitter, node: fx.Node) -> str:
    """The angle of (x, y) from the half angle: 2 atan(y / (|(x, y)| + x)), turned by pi where x is negative."""
    y, x = _pair(e, node)
    zero = e.floats(0)
    safe = e.emit("Where", [e.emit("Equal", [x, zero]), e.floats(1), x])
    angle = e.emit("Atan", [e.emit("Div", [y, safe])])
    back = e.emit("Where", [e.emit("Less", [y, zero]), e.floats(-pi), e.floats(pi)])
    sides = e.emit("Where", [e.emit("Less", [x, zero]), e.emit("Add", [angle, back]), angle])
    upright = e.emit("Mul", [e.emit("Sign", [y]), e.floats(pi / 2)])
    return e.emit("Where", [e.emit("Equal", [x, zero]), upright, sides], node)


def hypot(e: Emitter, node: fx.Node) -> str:
    x, y = _pair(e, node)
    return e.emit("Sqrt", [e.emit("Add", [e.emit("Mul", [x, x]), e.emit("Mul", [y, y])])], node)


def logaddexp(e: Emitter, node: fx.Node) -> str:
    """max + log(1 + exp(-|x - y|))."""
    x, y = _pair(e, node)
    gap = e.emit("Neg", [e.emit("Abs", [e.emit("Sub", [x, y])])])
    return e.emit("Add", [e.emit("Max", [x, y]), e.emit("Softplus", [gap])], node)


def ignoring_nan(op: str) -> Translator:
    """fmax and fmin: a number wins over not-a-number."""

    def translate(e: Emitter, node: fx.Node) -> str:
        x, y = _pair(e, node)
        if not e.dtype(node).is_floating_point:
            return combine(e, op, node, node.args[0], node.args[1], e.dtype(node))
        either = e.emit("Where", [e.emit("IsNaN", [x]), y, x])
        other = e.emit("Where", [e.emit("IsNaN", [y]), x, y])
        return e.emit(op, [either, other], node)

    return translate


def addc(op: str) -> Translator:
    """addcmul, addcdiv: self + value * (first op second)."""

    def translate(e: Emitter, node: fx.Node) -> str:
        wanted = e.dtype(node)
        base, first, second = (e.value(a, wanted) for a in node.args[:3])
        change = e.emit(op, [first, second])
        if (factor := argument(node, "value", 1)) != 1:
            change = e.emit("Mul", [change, e.value(factor, wanted)])
        return e.emit("Add", [base, change], node)

    return translate


def lerp(e: Emitter, node: fx.Node) -> str:
    start, end = _pair(e, node)
    weight = e.value(argument(node, "weight"), e.dtype(node))
    return e.emit("Add", [start, e.emit("Mul", [weight, e.emit("Sub", [end, start])])], node)


def prelu(e: Emitter, node: fx.Node) -> str:
    """One slope for all channels, or one for each along axis 1."""
    slope: Any = argument(node, "weight")
    rank, count = len(e.shape(node)), e.shape(slope)
    if any(size < 0 for size in count):
        raise refuse(node, "its slopes change with the batch", "keep one slope, or one per channel")
    shape = (count[0], *[1] * (rank - 2)) if count and rank > 2 else count or (1,)
    return e.emit("PRelu", [e.value(node.args[0]), e.reshape(e.value(slope), shape)], node)


TABLE: Mapping[str, Translator] = {
    "atan2": atan2,
    "hypot": hypot,
    "logaddexp": logaddexp,
    "fmax": ignoring_nan("Max"),
    "fmin": ignoring_nan("Min"),
    "addcmul": addc("Mul"),
    "addcdiv": addc("Div"),
    "lerp": lerp,
    "prelu": prelu,
}
