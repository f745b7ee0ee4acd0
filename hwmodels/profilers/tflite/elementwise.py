"""Operators that work on each entry, of one tensor or of several that are broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import BOUNDS, RELU, RELU6, RELU_N1_TO_1, activation, bounds, tail, target
from hwmodels.profilers.tflite.lower import LAST, PLAIN, Layout, Lowering, in_layout
from hwmodels.profilers.tflite.model import Scale, Tensor, constant
from hwmodels.profilers.tflite.program import Op

Translate = Callable[[Lowering, Op], None]

CODES = frozenset({"ADD", "SUB", "MUL"})
"""Of two tensors: those that compute on codes of different scales."""

ACTIVATIONS = {RELU: "RELU", RELU6: "RELU6", RELU_N1_TO_1: "RELU_N1_TO_1"}


def unary(code: str, **options: float | bool) -> Translate:
    """An operator on floats that tflite has too."""

    def translate(low: Lowering, op: Op) -> None:
        layout = low.layout_of(op.inputs[0])
        given = low.want(op.inputs[0], layout)
        low.put(op.outputs[0], low.emit(code, [given], op.outputs[0], given.shape, **options), layout)

    return translate


def relu(low: Lowering, op: Op) -> None:
    """Relu and Clip: an activation of its own, in codes where its input is held in them."""
    kind = activation(low, op)
    if not kind:
        _clipped(low, op)
        return
    given, layout = low.held(op.inputs[0])
    low.put(op.outputs[0], low.emit(ACTIVATIONS[kind], [given], op.outputs[0], given.shape, scale=given.scale), layout)


def _clipped(low: Lowering, op: Op) -> None:
    low_limit, high = bounds(low, op)
    assert (low_limit, high) not in BOUNDS
    layout = low.layout_of(op.inputs[0])
    made = low.want(op.inputs[0], layout)
    for code, limit in (("MAXIMUM", low_limit), ("MINIMUM", high)):
        if limit is not None:
            made = low.emit(code, [made, number(op.outputs[0], limit)], f"{op.outputs[0]}/{code.lower()}", made.shape)
    low.put(op.outputs[0], made, layout)


def number(name: str, value: float) -> Tensor:
    """A number as a constant tensor without axes."""
    return constant(f"{name}/{value:g}", np.array(value, np.float32))


def leaky_relu(low: Lowering, op: Op) -> None:
    unary("LEAKY_RELU", alpha=float(op.attributes.get("alpha", 0.01)))(low, op)


def elu(low: Lowering, op: Op) -> None:
    if float(op.attributes.get("alpha", 1.0)) != 1.0:
        raise UnsupportedOp(f"{op}: tflite's ELU has alpha 1, not {op.attributes['alpha']:g}")
    unary("ELU")(low, op)


def gelu(low: Lowering, op: Op) -> None:
    unary("GELU", approximate=op.attributes.get("approximate", "none") == "tanh")(low, op)


def hard_sigmoid(low: Lowering, op: Op) -> None:
    """relu6(x + 3) / 6, which is what ONNX's is with alpha 1/6 and beta 1/2."""
    told = op.attributes
    if abs(told.get("alpha", 0.2) - 1 / 6) > 1e-6 or told.get("beta", 0.5) != 0.5:
        raise UnsupportedOp(f"{op}: only alpha 1/6 and beta 1/2 can be written as tflite")
    name, layout = op.outputs[0], low.layout_of(op.inputs[0])
    given = low.want(op.inputs[0], layout)
    moved = low.emit("ADD", [given, number(name, 3.0)], f"{name}/add", given.shape, fusedActivationFunction=RELU6)
    low.put(name, low.emit("MUL", [moved, number(name, 1 / 6)], name, given.shape), layout)


def reciprocal(low: Lowering, op: Op) -> None:
    layout = low.layout_of(op.inputs[0])
    given = low.want(op.inputs[0], layout)
    low.put(op.outputs[0], low.emit("DIV", [number(op.outputs[0], 1.0), given], op.outputs[0], given.shape), layout)


def binary(code: str, truth: bool = False) -> Translate:
    """An operator on two tensors; `truth` where its result is true or false."""

    def translate(low: Lowering, op: Op) -> None:
        fuses = code in ("ADD", "SUB", "MUL", "DIV") and low.program.dtypes[op.outputs[0]] == "float32"
        codes = code in CODES and all(low.scale_of(x) is not None for x in op.inputs)
        end = tail(low, op, codes=codes) if fuses else None
        name = end.name if end else op.outputs[0]
        scale = ((end.scale if end else None) or target(low, name)) if codes else None
        layout = common_layout(low, op.inputs, name)
        given = [operand(low, x, layout, name, low.scale_of(x) if scale else None) for x in op.inputs]
        options = {"fusedActivationFunction": end.activation} if end else {}
        more = {"dtype": "bool"} if truth else {}
        shape = in_layout(low.shape(name), layout)
        low.put(name, low.emit(code, given, name, shape, scale=scale, **options, **more), layout)

    return translate


def several(code: str) -> Translate:
    """An operator on any number of tensors, by two at a time."""

    def translate(low: Lowering, op: Op) -> None:
        name, layout = op.outputs[0], common_layout(low, op.inputs, op.outputs[0])
        shape = in_layout(low.shape(name), layout)
        made = operand(low, op.inputs[0], layout, name)
        for other in op.inputs[1:]:
            made = low.emit(code, [made, operand(low, other, layout, name)], name, shape)
        low.put(name, made, layout)

    return translate


def where(low: Lowering, op: Op) -> None:
    name, layout = op.outputs[0], common_layout(low, op.inputs, op.outputs[0])
    given = [operand(low, x, layout, name) for x in op.inputs]
    shape = in_layout(low.shape(name), layout)
    low.put(name, low.emit("SELECT_V2", given, name, shape, dtype=low.program.dtypes[name]), layout)


def power(low: Lowering, op: Op) -> None:
    """A square as a product, others as POW."""
    exponent = low.fixed(op.inputs[1])
    if exponent is None or exponent.size != 1 or float(exponent.item()) != 2.0:
        binary("POW")(low, op)
        return
    layout = low.layout_of(op.inputs[0])
    given = low.want(op.inputs[0], layout)
    low.put(op.outputs[0], low.emit("MUL", [given, given], op.outputs[0], given.shape), layout)


def common_layout(low: Lowering, names: Sequence[str], made: str) -> Layout:
    """The layout in which operands meet: LAST where an activation exists in it alone, and none stands against it."""
    rank = len(low.shape(made))
    moving = [name for name in names if low.fixed(name) is None]
    if rank < 3 or any(len(low.shape(name)) not in (0, rank) for name in moving):
        return PLAIN
    return LAST if any(low.layout_of(name) == LAST for name in moving) else PLAIN


def operand(low: Lowering, name: str, layout: Layout, made: str, scale: Scale | None = None) -> Tensor:
    """An operand in a layout; constants get all the axes of the result first, which ONNX leaves out."""
    values, rank = low.fixed(name), len(low.shape(made))
    if values is None or layout == PLAIN or values.ndim == rank:
        return low.want(name, layout if low.shape(name) else PLAIN, scale)
    full = values.reshape((1,) * (rank - values.ndim) + values.shape) if values.ndim else values
    if scale is not None or not values.ndim:
        return low.want(name, PLAIN, scale)
    return constant(f"{name}/{made}", full.transpose((0, *range(2, rank), 1)))
