"""Softmax, reductions and normalisations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.elementwise import Translate, number
from hwmodels.profilers.tflite.fusing import target
from hwmodels.profilers.tflite.lower import LAST, PLAIN, Lowering, axis_in, in_layout
from hwmodels.profilers.tflite.model import Array, Tensor, constant
from hwmodels.profilers.tflite.program import Op


def softmax(code: str) -> Translate:
    """SOFTMAX or LOG_SOFTMAX, over the last axis there is in tflite; others are moved there and back."""

    def translate(low: Lowering, op: Op) -> None:
        x, name = op.inputs[0], op.outputs[0]
        rank = len(low.shape(x))
        axis = int(op.attributes.get("axis", -1)) % rank
        layout = LAST if axis == 1 and rank > 2 else PLAIN
        given = low.want(x, layout)
        options = {"beta": 1.0} if code == "SOFTMAX" else {}
        axes = [*range(rank)]
        if layout == PLAIN and axis != rank - 1:
            axes[axis], axes[-1] = axes[-1], axes[axis]
            given = low.transposed(given, axes, f"{name}/in")
        made = low.emit(code, [given], name, given.shape, **options)
        low.put(name, made if axes == [*range(rank)] else low.transposed(made, axes, f"{name}/out"), layout)

    return translate


def reduce(code: str) -> Translate:
    """MEAN, SUM and others over axes; in codes where the input is held in them and a mean's readers take some."""

    def translate(low: Lowering, op: Op) -> None:
        x, name = op.inputs[0], op.outputs[0]
        axes = _axes(low, op)
        keep = bool(op.attributes.get("keepdims", 1))
        _reduced(low, code, x, name, axes, keep)

    return translate


def global_average(low: Lowering, op: Op) -> None:
    """MEAN over the axes of space."""
    _reduced(low, "MEAN", op.inputs[0], op.outputs[0], range(2, len(low.shape(op.inputs[0]))), True)


def _reduced(low: Lowering, code: str, x: str, name: str, axes: Sequence[int], keep: bool) -> None:
    scale = target(low, name) if code == "MEAN" and low.scale_of(x) else None
    rank, layout = len(low.shape(x)), low.layout_of(x)
    if not keep and set(axes) != set(range(2, rank)):
        layout = PLAIN
    given = low.want(x, layout, low.scale_of(x) if scale else None)
    made = low.shape(name)
    shape = in_layout(made, layout) if keep else made
    places = constant(f"{name}/axes", np.array(sorted(axis_in(axis, rank, layout) for axis in axes), np.int32))
    low.put(name, low.emit(code, [given, places], name, shape, scale=scale, keepDims=keep), layout if keep else PLAIN)


def _axes(low: Lowering, op: Op) -> list[int]:
    rank = len(low.shape(op.inputs[0]))
    told = op.attributes.get("axes")
    if told is None and len(op.inputs) > 1 and op.inputs[1]:
        told = low.needed(op, 1, "its axes").reshape(-1).tolist()
    if told is None or not len(told):
        told = [] if op.attributes.get("noop_with_empty_axes") else range(rank)
    return [int(axis) % rank for axis in told]


def layer_norm(low: Lowering, op: Op) -> None:
    """Mean, variance, and what makes them 0 and 1, one operator each; then scale and bias."""
    x, name = op.inputs[0], op.outputs[0]
    rank = len(low.shape(x))
    axis = int(op.attributes.get("axis", -1)) % rank
    scale = low.needed(op, 1, "its scale")
    bias = low.needed(op, 2, "its bias") if len(op.inputs) > 2 and op.inputs[2] else None
    made = normed(low, low.want(x), range(axis, rank), float(op.attributes.get("epsilon", 1e-5)), name)
    low.put(name, scaled(low, made, scale, bias, name))


def normed(low: Lowering, given: Tensor, axes: Sequence[int], epsilon: float, name: str) -> Tensor:
    """The tensor with mean 0 and variance 1 over axes."""
    places = constant(f"{name}/axes", np.array(list(axes), np.int32))
    small = [1 if axis in axes else size for axis, size in enumerate(given.shape)]
    mean = low.emit("MEAN", [given, places], f"{name}/mean", small, keepDims=True)
    moved = low.emit("SUB", [given, mean], f"{name}/sub", given.shape)
    square = low.emit("MUL", [moved, moved], f"{name}/square", given.shape)
    variance = low.emit("MEAN", [square, places], f"{name}/variance", small, keepDims=True)
    sure = low.emit("ADD", [variance, number(name, epsilon)], f"{name}/add", small)
    return low.emit("MUL", [moved, low.emit("RSQRT", [sure], f"{name}/rsqrt", small)], f"{name}/norm", given.shape)


def scaled(low: Lowering, given: Tensor, scale: Array, bias: Array | None, name: str) -> Tensor:
    """The tensor times one constant plus another; both broadcast over it."""
    factor = constant(f"{name}/scale", scale.astype(np.float32))
    made = low.emit("MUL", [given, factor], name if bias is None else f"{name}/mul", given.shape)
    if bias is None:
        return made
    return low.emit("ADD", [made, constant(f"{name}/bias", bias.astype(np.float32))], name, given.shape)


def batch_norm(low: Lowering, op: Op) -> None:
    """A product and a sum per channel, with the channels last."""
    scale, bias, mean, variance = (low.needed(op, n, "its statistics") for n in range(1, 5))
    factor = scale / np.sqrt(variance + float(op.attributes.get("epsilon", 1e-5)))
    x, name = op.inputs[0], op.outputs[0]
    layout = LAST if len(low.shape(x)) > 2 else PLAIN
    low.put(name, scaled(low, low.want(x, layout), factor, bias - mean * factor, name), layout)


def instance_norm(low: Lowering, op: Op) -> None:
    """As `layer_norm`, over the axes of space."""
    x, name = op.inputs[0], op.outputs[0]
    rank = len(low.shape(x))
    if rank < 3:
        raise UnsupportedOp(f"{op}: it needs an axis of space")
    made = normed(low, low.want(x, LAST), range(1, rank - 1), float(op.attributes.get("epsilon", 1e-5)), name)
    scale, bias = low.needed(op, 1, "its scale"), low.needed(op, 2, "its bias")
    low.put(name, scaled(low, made, scale, bias, name), LAST)
