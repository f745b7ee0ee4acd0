"""Pooling: channels last, in codes where that gives the same."""

from __future__ import annotations

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import RELU, RELU6, Tail, tail
from hwmodels.profilers.tflite.lower import LAST, Lowering
from hwmodels.profilers.tflite.model import Tensor
from hwmodels.profilers.tflite.program import Op
from hwmodels.profilers.tflite.spatial import SAME, VALID, Window, area, flat, image, leave, pad, padded, window


def max_pool(low: Lowering, op: Op) -> None:
    """MAX_POOL_2D, in codes where the input is held in them."""
    if len(op.outputs) > 1 and op.outputs[1]:
        raise UnsupportedOp(f"{op}: tflite's pooling doesn't say where its maxima were")
    move = window(op, op.attributes["kernel_shape"])
    if move.dilations != (1, 1):
        raise UnsupportedOp(f"{op}: tflite's pooling has no dilation")
    x, made = op.inputs[0], low.shape(op.outputs[0])
    given = flat(low, x, low.want(x, LAST, low.scale_of(x)))
    least = None if _above_zero(low, given) else float(np.finfo(np.float32).min)
    given, padding = padded(low, given, area(made), move, f"{x}/pad", least)
    _pool(low, "MAX_POOL_2D", given, move, padding, Tail(op.outputs[0]), made)


def _above_zero(low: Lowering, tensor: Tensor) -> bool:
    """Whether zero is as good an edge as the least number, because a Relu made the tensor."""
    makers = (operator for operator in low.operators if tensor in operator.outputs)
    return any(maker.options.get("fusedActivationFunction") in (RELU, RELU6) for maker in makers)


def average_pool(low: Lowering, op: Op) -> None:
    """AVERAGE_POOL_2D on floats; edges count where ONNX says so."""
    move = window(op, op.attributes["kernel_shape"])
    if move.dilations != (1, 1):
        raise UnsupportedOp(f"{op}: tflite's pooling has no dilation")
    x, made, end = op.inputs[0], low.shape(op.outputs[0]), tail(low, op)
    given, padding = padded(low, flat(low, x, low.want(x, LAST)), area(made), move, f"{x}/pad")
    edged = any(op.attributes.get("pads", [0])) or op.attributes.get("ceil_mode", 0)
    counted = bool(op.attributes.get("count_include_pad", 0))
    if padding == SAME and counted:
        edges = [(0, 0), *((n, n) for n in move.before), (0, 0)]
        given, padding = pad(low, flat(low, x, low.want(x, LAST)), edges, f"{x}/pad", None), VALID
    elif edged and padding == VALID and not counted and given.shape != image(low.shape(x)):
        raise UnsupportedOp(f"{op}: edges that don't count in the mean can't be written as tflite")
    _pool(low, "AVERAGE_POOL_2D", given, move, padding, end, made)


def _pool(
    low: Lowering, code: str, given: Tensor, move: Window, padding: int, end: Tail, made: tuple[int, ...]
) -> None:
    options = move.options(padding) | {"filterHeight": move.size[0], "filterWidth": move.size[1]}
    options["fusedActivationFunction"] = end.activation
    leave(low, low.emit(code, [given], end.name, image(made), scale=given.scale, **options), end.name)
