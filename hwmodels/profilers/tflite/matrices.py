"""Linear layers and products of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import Tail, tail, target
from hwmodels.profilers.tflite.lower import Lowering
from hwmodels.profilers.tflite.model import Array, Tensor
from hwmodels.profilers.tflite.program import Op
from hwmodels.profilers.tflite.spatial import parameters, takes_codes


def gemm(low: Lowering, op: Op) -> None:
    """FULLY_CONNECTED for a constant matrix, BATCH_MATMUL and ADD for one that the network computes."""
    told, made = op.attributes, low.shape(op.outputs[0])
    alpha, beta = float(told.get("alpha", 1.0)), float(told.get("beta", 1.0))
    third = op.inputs[2] if len(op.inputs) > 2 else ""
    weight, added = low.fixed(op.inputs[1]), low.fixed(third) if third else np.zeros(made[-1], np.float32)
    if told.get("transA") or weight is None or added is None or (alpha != 1.0 and op.inputs[1] in low.codes):
        raise UnsupportedOp(f"{op}: only x W + b with a constant W and b can be written as tflite")
    weight = weight if told.get("transB") else weight.T
    bias = np.broadcast_to(added.reshape(-1) * np.float32(beta), made[-1])
    if added.size not in (1, made[-1]):
        raise UnsupportedOp(f"{op}: its bias differs from row to row")
    _connected(
        low,
        op,
        weight if alpha == 1.0 else weight * np.float32(alpha),
        bias,
        tail(low, op, codes=takes_codes(low, *op.inputs[:2])),
    )


def matmul(low: Lowering, op: Op) -> None:
    """FULLY_CONNECTED for a constant matrix `[I, O]`, with the bias after it; BATCH_MATMUL for two activations."""
    weight = low.fixed(op.inputs[1])
    if weight is not None and weight.ndim == 2 and len(low.shape(op.inputs[0])) > 1:
        end = tail(low, op, weight.shape[1], takes_codes(low, *op.inputs[:2]))
        _connected(low, op, weight.T, np.zeros(weight.shape[1], np.float32) if end.bias is None else end.bias, end)
        return
    left, right = (low.want(name) for name in op.inputs)
    if min(len(left.shape), len(right.shape)) < 2:
        raise UnsupportedOp(f"{op}: a product with a vector can't be written as tflite")
    low.put(op.outputs[0], product(low, left, right, op.outputs[0], low.shape(op.outputs[0])))


def product(low: Lowering, left: Tensor, right: Tensor, name: str, made: tuple[int, ...]) -> Tensor:
    """BATCH_MATMUL; a right factor that was only turned for this is read as it was before."""
    options = {"adjX": False, "adjY": False}
    last = low.operators[-1] if low.operators else None
    if last is not None and last.outputs == (right,) and last.code == "TRANSPOSE":
        given, axes = last.inputs
        rank = len(right.shape)
        if given is not None and axes is not None and axes.data is not None:
            turned = [*range(rank - 2), rank - 1, rank - 2]
            if axes.data.tolist() == turned and given is not left and right is not left:
                options["adjY"] = True
                right = given
    return low.emit("BATCH_MATMUL", [left, right], name, made, **options)


def _connected(low: Lowering, op: Op, weight: Array, bias: Array, end: Tail) -> None:
    x, w = op.inputs[:2]
    scale = (end.scale or target(low, end.name)) if takes_codes(low, x, w) else None
    source = low.scale_of(x) if scale is not None else None
    fixed = parameters(low, w, np.ascontiguousarray(weight), bias, 0, source)
    made = low.shape(end.name)
    options: dict[str, Any] = {"fusedActivationFunction": end.activation, "keepNumDims": len(made) > 2}
    low.put(
        end.name,
        low.emit("FULLY_CONNECTED", [low.want(x, scale=source), *fixed], end.name, made, scale=scale, **options),
    )
