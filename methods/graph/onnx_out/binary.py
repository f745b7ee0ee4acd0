"""How operators on two or more tensors, number by number with broadcasting, are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.maths import towards_zero
from methods.graph.onnx_out.types import element, inner

NARROW = (torch.uint8, torch.int8, torch.int16)


def common(e: Emitter, left: Any, right: Any) -> torch.dtype:
    """The type in which torch compares or combines two operands: numbers count less than tensors."""
    samples = [
        torch.empty([1] * len(e.shape(x)), dtype=e.dtype(x)) if isinstance(x, fx.Node) else x for x in (left, right)
    ]
    return torch.result_type(*samples) if any(isinstance(x, torch.Tensor) for x in samples) else e.dtype(left)


def combine(e: Emitter, op: str, node: fx.Node, left: Any, right: Any, wanted: torch.dtype) -> str:
    """`op` on two operands as `wanted`; truth values are counted, narrow integers wrap around."""
    if wanted == torch.bool:
        made = e.emit(op, [e.value(left, torch.int64), e.value(right, torch.int64)])
        return e.cast(made, torch.int64, torch.bool, node)
    names = [e.value(left, wanted), e.value(right, wanted)]
    if wanted not in NARROW:
        return e.emit(op, names, node)
    return e.cast(e.emit("Cast", [e.emit(op, names)], to=element(wanted)), wanted, inner(wanted), node)


def arithmetic(op: str, swapped: bool = False) -> Translator:
    """Two operands; `alpha` scales the second."""

    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = operands(node)
        wanted, alpha = e.dtype(node), argument(node, "alpha", 1)
        if alpha != 1:
            second = e.emit("Mul", [e.value(right, wanted), e.value(alpha, wanted)])
            names = [second, e.value(left, wanted)] if swapped else [e.value(left, wanted), second]
            return e.emit(op, names[::-1] if swapped else names, node)
        return combine(e, op, node, *((right, left) if swapped else (left, right)), wanted)

    return translate


def operands(node: fx.Node) -> tuple[Any, Any]:
    """The first two arguments, whatever they are called."""
    found = [node.args[i] if i < len(node.args) else None for i in range(2)]
    return found[0], found[1] if found[1] is not None else node.kwargs.get("other", node.kwargs.get("exponent"))


def divide(e: Emitter, node: fx.Node) -> str:
    left, right = operands(node)
    mode, wanted = argument(node, "rounding_mode"), e.dtype(node)
    if str(node.target).startswith("aten.floor_divide"):
        mode = "floor"
    if mode is None:
        return e.emit("Div", [e.value(left, wanted), e.value(right, wanted)], node)
    quotient = [e.value(left, wanted), e.value(right, wanted)]
    if wanted.is_floating_point:
        found = e.emit("Div", quotient)
        return e.emit("Floor", [found], node) if mode == "floor" else towards_zero(e, found, node)
    if mode == "trunc":
        return e.emit("Div", quotient, node)
    rest = e.emit("Mod", quotient)
    return e.emit("Div", [e.emit("Sub", [quotient[0], rest]), quotient[1]], node)


def remainder(e: Emitter, node: fx.Node) -> str:
    """What is left, with the sign of the divisor."""
    left, right = operands(node)
    names = [e.value(left, e.dtype(node)), e.value(right, e.dtype(node))]
    if not e.dtype(node).is_floating_point:
        return e.emit("Mod", names, node)
    whole = e.emit("Floor", [e.emit("Div", names)])
    return e.emit("Sub", [names[0], e.emit("Mul", [whole, names[1]])], node)


def fmod(e: Emitter, node: fx.Node) -> str:
    """What is left, with the sign of the dividend."""
    left, right = operands(node)
    return e.emit("Mod", [e.value(left, e.dtype(node)), e.value(right, e.dtype(node))], node, fmod=1)


def power(e: Emitter, node: fx.Node) -> str:
    left, right = operands(node)
    wanted = e.dtype(node)
    if right == 2:
        return e.emit("Mul", [e.value(left, wanted)] * 2, node)
    return e.emit("Pow", [e.value(left, wanted), e.value(right, wanted)], node)


def compared(op: str, negate: bool = False) -> Translator:
    """A truth value about two operands, compared in the type that torch would take."""

    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = operands(node)
        wanted = common(e, left, right)
        wanted = torch.int64 if wanted == torch.bool else wanted
        made = e.emit(op, [e.value(left, wanted), e.value(right, wanted)], None if negate else node)
        return e.emit("Not", [made], node) if negate else made

    return translate


def logical(op: str) -> Translator:
    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = operands(node)
        return e.emit(op, [e.value(left, torch.bool), e.value(right, torch.bool)], node)

    return translate


def bitwise(op: str) -> Translator:
    """And, Or, Xor: of truth values, or of the bits of integers."""

    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = operands(node)
        name = op if e.dtype(node) == torch.bool else f"Bitwise{op}"
        return e.emit(name, [e.value(left, e.dtype(node)), e.value(right, e.dtype(node))], node)

    return translate


def choose(e: Emitter, condition: str, chosen: Any, other: Any, node: fx.Node) -> str:
    """Where, by way of integers for truth values."""
    wanted = e.dtype(node)
    kept = torch.int64 if wanted == torch.bool else wanted
    chosen, other = (bool(x) if wanted == torch.bool and isinstance(x, float) else x for x in (chosen, other))
    names = [condition, e.value(chosen, kept), e.value(other, kept)]
    if kept == wanted:
        return e.emit("Where", names, node)
    return e.cast(e.emit("Where", names), kept, wanted, node)


def where(e: Emitter, node: fx.Node) -> str:
    condition, chosen, other = (argument(node, name) for name in ("condition", "self", "other"))
    return choose(e, e.value(condition, torch.bool), chosen, other, node)


def masked_fill(e: Emitter, node: fx.Node) -> str:
    return choose(e, e.value(argument(node, "mask"), torch.bool), argument(node, "value"), node.args[0], node)


TABLE: Mapping[str, Translator] = {
    "add": arithmetic("Add"),
    "sub": arithmetic("Sub"),
    "rsub": arithmetic("Sub", swapped=True),
    "mul": arithmetic("Mul"),
    "div": divide,
    "floor_divide": divide,
    "remainder": remainder,
    "fmod": fmod,
    "pow": power,
    "maximum": arithmetic("Max"),
    "minimum": arithmetic("Min"),
    "eq": compared("Equal"),
    "ne": compared("Equal", negate=True),
    "lt": compared("Less"),
    "le": compared("LessOrEqual"),
    "gt": compared("Greater"),
    "ge": compared("GreaterOrEqual"),
    "logical_and": logical("And"),
    "logical_or": logical("Or"),
    "logical_xor": logical("Xor"),
    "bitwise_and": bitwise("And"),
    "bitwise_or": bitwise("Or"),
    "bitwise_xor": bitwise("Xor"),
    "where": where,
    "masked_fill": masked_fill,
}
