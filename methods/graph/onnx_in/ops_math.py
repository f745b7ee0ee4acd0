"""Elementwise operators: activations, arithmetic, comparisons, and sums and means along axes."""

from __future__ import annotations

from collections.abc import Callable

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.tensors import dtype_of
from methods.graph.onnx_in.values import Value

Translator = Callable[[Op], Value | list[Value]]

UNARY = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "Mish": "mish", "Erf": "erf"}
UNARY |= {"HardSwish": "hardswish", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Neg": "neg", "Abs": "abs"}
UNARY |= {"Sign": "sign", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Reciprocal": "reciprocal"}
UNARY |= {
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Asin": "asin",
    "Acos": "acos",
    "Atan": "atan",
    "Not": "logical_not",
}
UNARY |= {"Sinh": "sinh", "Cosh": "cosh", "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh", "IsNaN": "isnan"}
"""Operators that ATen has under another name, with nothing to set."""

COMPARISONS = {"Equal": "eq", "Greater": "gt", "Less": "lt", "GreaterOrEqual": "ge", "LessOrEqual": "le"}
MIRRORED = {"eq": "eq", "gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}
LOGIC = {"And": "logical_and", "Or": "logical_or", "Xor": "logical_xor"}


def unary(op: Op) -> Value:
    return op.b.call(f"{UNARY[op.kind]}.default", op[0])


def number_beside(value: Value, other: Value) -> float | int | bool | None:
    """The number that a constant stands for next to `other`, where that keeps the shape of the result."""
    if value.live or not other.live:
        return None
    shape = other.probes[0].shape
    kept = torch.broadcast_shapes(value.probes[0].shape, shape) == shape
    return (value.base or value).number() if kept else None


def combine(op: Op, name: str, a: Value, b: Value) -> Value:
    """add, sub, mul or div of two values; a constant that is one number stays a number."""
    if (number := number_beside(b, a)) is not None:
        return op.b.call(f"{name}.Tensor", a, number)
    if (number := number_beside(a, b)) is None:
        return op.b.call(f"{name}.Tensor", _slim(a, b), _slim(b, a))
    if name in ("add", "mul"):
        return op.b.call(f"{name}.Tensor", b, number)
    if name == "sub":
        return op.b.call("rsub.Scalar", b, number)
    return op.b.call("mul.Tensor", op.b.call("reciprocal.default", b), number)


def _slim(value: Value, other: Value) -> Value:
    """A constant without its repetition along the batch, where broadcasting repeats it as well."""
    if value.base is None or not other.live:
        return value
    shapes = [torch.broadcast_shapes(v.probes[0].shape, other.probes[0].shape) for v in (value, value.base)]
    return value.base if shapes[0] == shapes[1] else value


def div(op: Op) -> Value:
    if not op[0].is_float:
        return op.b.call("div.Tensor_mode", op[0], op[1], rounding_mode="trunc")
    return combine(op, "div", op[0], op[1])


def arithmetic(name: str) -> Translator:
    return lambda op: combine(op, name, op[0], op[1])


def power(op: Op) -> Value:
    base, exponent = op[0], op[1]
    if (number := number_beside(exponent, base)) is not None:
        return op.b.call("pow.Tensor_Scalar", base, number)
    if (number := number_beside(base, exponent)) is not None:
        return op.b.call("pow.Scalar", number, exponent)
    return op.b.call("pow.Tensor_Tensor", base, exponent)


def modulo(op: Op) -> Value:
    return op.b.call("fmod.Tensor" if op.integer("fmod") else "remainder.Tensor", op[0], op[1])


def several(join: Callable[[Op, Value, Value], Value]) -> Translator:
    """An operator of any number of inputs, two at a time."""

    def translate(op: Op) -> Value:
        made = op[0]
        for position in range(1, len(op.inputs)):
            made = join(op, made, op[position])
        return made

    return translate


def total(op: Op, a: Value, b: Value) -> Value:
    return combine(op, "add", a, b)


def mean(op: Op) -> Value:
    made = several(total)(op)
    assert isinstance(made, Value)
    return op.b.call("div.Tensor", made, float(len(op.inputs)))


def extreme(name: str) -> Callable[[Op, Value, Value], Value]:
    """maximum or minimum; next to a number it is a clamp."""

    def join(op: Op, a: Value, b: Value) -> Value:
        for value, other in ((a, b), (b, a)):
            if (number := number_beside(other, value)) is not None:
                bounds = (number, None) if name == "maximum" else (None, number)
                return op.b.call("clamp.default", value, *bounds)
        return op.b.call(f"{name}.default", a, b)

    return join


def compare(op: Op) -> Value:
    name, a, b = COMPARISONS[op.kind], op[0], op[1]
    for value, other in ((a, b), (b, a)):
        if value.feeds and not other.live and not other.is_float and other.probes[0].numel():
            op.b.reaches(value, int(other.probes[0].max()) + 1)
    if (number := number_beside(b, a)) is not None:
        return op.b.call(f"{name}.Scalar", a, number)
    if (number := number_beside(a, b)) is not None:
        return op.b.call(f"{MIRRORED[name]}.Scalar", b, number)
    return op.b.call(f"{name}.Tensor", _slim(a, b), _slim(b, a))


def logic(op: Op) -> Value:
    return op.b.call(f"{LOGIC[op.kind]}.default", _slim(op[0], op[1]), _slim(op[1], op[0]))


def where(op: Op) -> Value:
    mask, a, b = op[0], op[1], op[2]
    left, right = number_beside(a, mask), number_beside(b, mask)
    if left is not None and right is not None and a.is_float:
        return op.b.call("where.Scalar", mask, left, right)
    if a.live and (number := number_beside(b, a)) is not None:
        return op.b.call("where.ScalarOther", mask, a, number)
    if b.live and (number := number_beside(a, b)) is not None:
        return op.b.call("where.ScalarSelf", mask, number, b)
    return op.b.call("where.self", mask, a, b)


def cast(op: Op) -> Value:
    like = op.kind == "CastLike"
    wanted = op[1].dtype if like else dtype_of(op.integer("to"), str(op))
    value = op[0]
    return value if value.dtype == wanted else op.b.call("to.dtype", value, wanted)


def clip(op: Op) -> Value:
    low, high = op.get(1), op.get(2)
    if any(v is not None and v.number() is None for v in (low, high)):
        made = op[0] if low is None else op.b.call("maximum.default", op[0], low)
        return made if high is None else op.b.call("minimum.default", made, high)
    bounds = [op.scalar(1, "min"), op.scalar(2, "max")]
    if bounds == [0.0, 6.0]:
        return op.b.call("relu6.default", op[0])
    if not op[0].is_float:
        return op.b.call("clamp.default", op[0], *[None if v is None else int(v) for v in bounds])
    return op[0] if bounds == [None, None] else op.b.call("clamp.default", op[0], *bounds)


def cumulate(op: Op) -> Value:
    axis = op.position((op.whole(1) or [0])[0], op[0].rank)
    value = op.b.call("flip.default", op[0], [axis]) if op.integer("reverse") else op[0]
    made = op.b.call("cumsum.default", value, axis)
    made = op.b.call("sub.Tensor", made, value) if op.integer("exclusive") else made
    return op.b.call("flip.default", made, [axis]) if op.integer("reverse") else made


def triangle(op: Op) -> Value:
    diagonal = (op.whole(1) or [0])[0]
    return op.b.call("triu.default" if op.integer("upper", 1) else "tril.default", op[0], diagonal)
