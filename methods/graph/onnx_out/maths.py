"""How functions of one number, and changes of type, are written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.activations import after, passed, plain, source
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import element, inner

PLAIN = "exp log sqrt neg abs sign erf reciprocal sin cos tan asin acos atan sinh cosh asinh acosh atanh"
UNCHANGED = "dropout feature_dropout alpha_dropout feature_alpha_dropout clone contiguous alias detach"


def expm1(e: Emitter, node: fx.Node) -> str:
    """exp(x) - 1 as tanh(x/2) * (exp(x) + 1), which keeps its digits near zero."""
    value = source(e, node)
    half = e.emit("Tanh", [e.emit("Mul", [value, e.floats(0.5)])])
    near = e.emit("Mul", [half, e.emit("Add", [e.emit("Exp", [value]), e.floats(1)])])
    far = e.emit("Sub", [e.emit("Exp", [value]), e.floats(1)])
    small = e.emit("Less", [e.emit("Abs", [value]), e.floats(1)])
    return e.emit("Where", [small, near, far], node)


def log1p(e: Emitter, node: fx.Node) -> str:
    """log(1 + x), as the series x - x^2/2 + x^3/3 near zero."""
    value = source(e, node)
    far = e.emit("Log", [e.emit("Add", [value, e.floats(1)])])
    third = e.emit("Sub", [e.floats(0.5), e.emit("Mul", [value, e.floats(1 / 3)])])
    near = e.emit("Mul", [value, e.emit("Sub", [e.floats(1), e.emit("Mul", [value, third])])])
    small = e.emit("Less", [e.emit("Abs", [value]), e.floats(1e-2)])
    return e.emit("Where", [small, near, far], node)


def exp2(e: Emitter, node: fx.Node) -> str:
    return e.emit("Pow", [e.floats(2), source(e, node)], node)


def square(e: Emitter, node: fx.Node) -> str:
    value = source(e, node)
    return e.emit("Mul", [value, value], node)


def whole(op: str) -> Translator:
    """Floor and Ceil, which leave integers as they are."""
    return lambda e, node: e.emit(op if e.dtype(node).is_floating_point else "Identity", [source(e, node)], node)


def towards_zero(e: Emitter, value: str, node: fx.Node | None = None) -> str:
    """A float without what follows its point."""
    return e.emit("Mul", [e.emit("Sign", [value]), e.emit("Floor", [e.emit("Abs", [value])])], node)


def truncated(e: Emitter, node: fx.Node) -> str:
    return towards_zero(e, source(e, node), node) if e.dtype(node).is_floating_point else source(e, node)


def fraction(e: Emitter, node: fx.Node) -> str:
    value = source(e, node)
    return e.emit("Sub", [value, towards_zero(e, value)], node)


def rounded(e: Emitter, node: fx.Node) -> str:
    decimals = int(argument(node, "decimals", 0))
    if not e.dtype(node).is_floating_point or not decimals:
        return whole("Round")(e, node)  # type: ignore[no-any-return]
    power = e.floats(10.0**decimals)
    return e.emit("Div", [e.emit("Round", [e.emit("Mul", [source(e, node), power])]), power], node)


def logit(e: Emitter, node: fx.Node) -> str:
    value, edge = source(e, node), argument(node, "eps")
    if edge is not None:
        value = e.emit("Clip", [value, e.floats(float(edge)), e.floats(1 - float(edge))])
    return e.emit("Log", [e.emit("Div", [value, e.emit("Sub", [e.floats(1), value])])], node)


def sinc(e: Emitter, node: fx.Node) -> str:
    angle = e.emit("Mul", [source(e, node), e.floats(np.pi)])
    zero = e.emit("Equal", [angle, e.floats(0)])
    safe = e.emit("Where", [zero, e.floats(1), angle])
    return e.emit("Where", [zero, e.floats(1), e.emit("Div", [e.emit("Sin", [safe]), safe])], node)


def nan_to_num(e: Emitter, node: fx.Node) -> str:
    if not e.dtype(node).is_floating_point:
        return source(e, node)
    info = torch.finfo(torch.float32)
    given = [argument(node, name) for name in ("nan", "posinf", "neginf")]
    nan, high, low = (d if g is None else float(g) for g, d in zip(given, (0.0, info.max, info.min), strict=True))
    value = source(e, node)
    value = e.emit("Where", [e.emit("IsNaN", [value]), e.floats(nan), value])
    value = e.emit("Where", [e.emit("Equal", [value, e.floats(np.inf)]), e.floats(high), value])
    return e.emit("Where", [e.emit("Equal", [value, e.floats(-np.inf)]), e.floats(low), value], node)


def is_finite(e: Emitter, node: fx.Node) -> str:
    value = e.value(node.args[0], torch.float32)
    wild = e.emit("Or", [e.emit("IsNaN", [value]), e.emit("IsInf", [value])])
    return e.emit("Not", [wild], node)


def tested(op: str) -> Translator:
    """IsNaN and IsInf: truth values about floats."""
    return lambda e, node: e.emit(op, [e.value(node.args[0], torch.float32)], node)


def negated(e: Emitter, node: fx.Node) -> str:
    """logical_not, and bitwise_not of truth values or integers."""
    if "logical" in str(node.target) or e.dtype(node) == torch.bool:
        return e.emit("Not", [e.value(node.args[0], torch.bool)], node)
    return e.emit("Sub", [e.value(-1), source(e, node)], node)


def converted(e: Emitter, node: fx.Node) -> str:
    """A change of type; what the narrower type would lose is lost here too. An input is read before its own cast."""
    given, wanted, item = e.dtype(node.args[0]), e.dtype(node), node.args[0]
    name = e.raw[item] if item in e.raw else e.value(item)  # type: ignore[index]
    narrow = wanted not in (torch.float32, torch.float64, torch.int64, torch.bool) and wanted != given
    if narrow and not (wanted == torch.int32 and not given.is_floating_point):
        name = e.emit("Cast", [name], to=element(wanted))
        return e.emit("Cast", [name], node, to=element(inner(wanted)))
    if item not in e.raw and inner(given) == inner(wanted):
        return name
    return e.emit("Cast", [name], node, to=element(inner(wanted)))


TABLE: Mapping[str, Translator] = (
    {name: plain(name.capitalize()) for name in PLAIN.split()}
    | dict.fromkeys(UNCHANGED.split(), passed)
    | dict.fromkeys(("logical_not", "bitwise_not"), negated)
    | {
        "sgn": plain("Sign"),
        "floor": whole("Floor"),
        "ceil": whole("Ceil"),
        "rsqrt": after("Sqrt", "Reciprocal"),
        "log2": after("Log", "Mul", 1 / float(np.log(2))),
        "log10": after("Log", "Mul", 1 / float(np.log(10))),
        "erfc": lambda e, n: e.emit("Sub", [e.floats(1), e.emit("Erf", [source(e, n)])], n),
        "isnan": tested("IsNaN"),
        "isinf": tested("IsInf"),
        "isfinite": is_finite,
        "nan_to_num": nan_to_num,
        "expm1": expm1,
        "log1p": log1p,
        "exp2": exp2,
        "square": square,
        "trunc": truncated,
        "frac": fraction,
        "round": rounded,
        "logit": logit,
        "sinc": sinc,
        "to": converted,
    }
)
