"""How activations, and values held between bounds, are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import axis_of, refuse


def source(e: Emitter, node: fx.Node) -> str:
    """The first operand as the inner type of the result."""
    return e.value(node.args[0], e.dtype(node))


def plain(op: str, **attributes: Any) -> Translator:
    """An operator that ONNX has under another name."""
    return lambda e, node: e.emit(op, [source(e, node)], node, **attributes)


def passed(e: Emitter, node: fx.Node) -> Any:
    """Operators that do nothing in evaluation mode."""
    e.value(node.args[0])
    return e.names[node.args[0]]  # type: ignore[index]


def after(op: str, last: str, number: float | None = None) -> Translator:
    """`op`, then `last` with a number as its second operand, if there is one."""

    def translate(e: Emitter, node: fx.Node) -> str:
        first = e.emit(op, [source(e, node)])
        return e.emit(last, [first] if number is None else [first, e.floats(number)], node)

    return translate


def relu(e: Emitter, node: fx.Node) -> str:
    if e.dtype(node).is_floating_point:
        return e.emit("Relu", [source(e, node)], node)
    return e.emit("Max", [source(e, node), e.value(0)], node)


def scaled(op: str, **names: str) -> Translator:
    """An operator whose attributes are arguments: ONNX attribute -> name of the argument."""

    def translate(e: Emitter, node: fx.Node) -> str:
        return e.emit(op, [source(e, node)], node, **{k: float(argument(node, v)) for k, v in names.items()})

    return translate


def bounded(e: Emitter, node: fx.Node) -> str:
    """clamp, hardtanh and relu6 with numbers as bounds: one Clip."""
    limits = {"relu6": (0.0, 6.0), "hardtanh": (-1.0, 1.0)}.get(str(node.target).split(".")[1], (None, None))
    low, high = (
        argument(node, "min", argument(node, "min_val", limits[0])),
        argument(node, "max", argument(node, "max_val", limits[1])),
    )
    names = ["" if b is None else e.value(b, e.dtype(node)) for b in (low, high)]
    return e.emit("Clip", [source(e, node), *names], node)


def clip(e: Emitter, node: fx.Node) -> str:
    """A value held between two tensors, or one."""
    value, wanted = source(e, node), e.dtype(node)
    for op, name in (("Max", "min"), ("Min", "max")):
        if (limit := argument(node, name)) is not None:
            value = e.emit(op, [value, e.value(limit, wanted)])
    return value


def silu(e: Emitter, node: fx.Node) -> str:
    value = source(e, node)
    return e.emit("Mul", [value, e.emit("Sigmoid", [value])], node)


def gelu(e: Emitter, node: fx.Node) -> str:
    return e.emit("Gelu", [source(e, node)], node, approximate=str(argument(node, "approximate")))


def softplus(e: Emitter, node: fx.Node) -> str:
    beta = float(argument(node, "beta"))
    if beta == 1:
        return e.emit("Softplus", [source(e, node)], node)
    inside = e.emit("Softplus", [e.emit("Mul", [source(e, node), e.floats(beta)])])
    return e.emit("Div", [inside, e.floats(beta)], node)


def elu(e: Emitter, node: fx.Node) -> str:
    """scale * x above 0, scale * alpha * (exp(input_scale * x) - 1) below."""
    alpha, scale, input_scale = (float(argument(node, n)) for n in ("alpha", "scale", "input_scale"))
    if scale == input_scale == 1:
        return e.emit("Elu", [source(e, node)], node, alpha=alpha)
    value = source(e, node)
    above = e.emit("Mul", [e.emit("Relu", [value]), e.floats(scale)])
    low = e.emit("Mul", [e.emit("Min", [value, e.floats(0)]), e.floats(input_scale)])
    below = e.emit("Mul", [e.emit("Sub", [e.emit("Exp", [low]), e.floats(1)]), e.floats(alpha * scale)])
    return e.emit("Add", [above, below], node)


def rrelu(e: Emitter, node: fx.Node) -> str:
    """In evaluation: leaky with the middle of the range."""
    slope = (float(argument(node, "lower")) + float(argument(node, "upper"))) / 2
    return e.emit("LeakyRelu", [source(e, node)], node, alpha=slope)


def threshold(e: Emitter, node: fx.Node) -> str:
    value, wanted = source(e, node), e.dtype(node)
    above = e.emit("Greater", [value, e.value(argument(node, "threshold"), wanted)])
    return e.emit("Where", [above, value, e.value(argument(node, "value"), wanted)], node)


def shrink(soft: bool) -> Translator:
    """Zero within lambda of zero; outside the value, moved towards zero by lambda where `soft`."""

    def translate(e: Emitter, node: fx.Node) -> str:
        edge = float(argument(node, "lambd"))
        return e.emit("Shrink", [source(e, node)], node, lambd=edge, bias=edge if soft else 0.0)

    return translate


def log_sigmoid(e: Emitter, node: fx.Node) -> str:
    return e.emit("Neg", [e.emit("Softplus", [e.emit("Neg", [source(e, node)])])], node)


def glu(e: Emitter, node: fx.Node) -> str:
    """The first half of an axis times the sigmoid of the second."""
    axis, half = axis_of(node, len(e.shape(node)), default=-1), e.shape(node)
    if half[axis] < 0:
        raise refuse(node, "it halves the batch, whose size is free", "halve another axis")
    sizes = e.ints([half[axis]] * 2)
    value, gate = e.emit_many("Split", [e.value(node.args[0]), sizes], 2, axis=axis)
    return e.emit("Mul", [value, e.emit("Sigmoid", [gate])], node)


TABLE: Mapping[str, Translator] = dict.fromkeys(("relu6", "hardtanh", "clamp", "clamp_min", "clamp_max"), bounded) | {
    "relu": relu,
    "sigmoid": plain("Sigmoid"),
    "tanh": plain("Tanh"),
    "hardswish": plain("HardSwish"),
    "mish": plain("Mish"),
    "selu": plain("Selu"),
    "hardsigmoid": plain("HardSigmoid", alpha=1 / 6, beta=0.5),
    "celu": scaled("Celu", alpha="alpha"),
    "leaky_relu": scaled("LeakyRelu", alpha="negative_slope"),
    "clamp.Tensor": clip,
    "hardshrink": shrink(soft=False),
    "softshrink": shrink(soft=True),
    "log_sigmoid": log_sigmoid,
    "threshold": threshold,
    "softplus": softplus,
    "silu": silu,
    "gelu": gelu,
    "glu": glu,
    "elu": elu,
    "rrelu": rrelu,
}
