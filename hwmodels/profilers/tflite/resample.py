"""Operators that make images larger: transposed convolution, interpolation, channels moved into space."""

from __future__ import annotations

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import tail
from hwmodels.profilers.tflite.lower import LAST, Lowering, in_layout
from hwmodels.profilers.tflite.model import Tensor, constant
from hwmodels.profilers.tflite.parts import cut
from hwmodels.profilers.tflite.program import Op
from hwmodels.profilers.tflite.spatial import SAME, VALID, area, window

CENTRES = {
    "half_pixel": {"halfPixelCenters": True, "alignCorners": False},
    "pytorch_half_pixel": {"halfPixelCenters": True, "alignCorners": False},
    "align_corners": {"halfPixelCenters": False, "alignCorners": True},
    "asymmetric": {"halfPixelCenters": False, "alignCorners": False},
}
"""`coordinate_transformation_mode` -> the options of tflite's resizing."""


def resize(low: Lowering, op: Op) -> None:
    """RESIZE_BILINEAR, or RESIZE_NEAREST_NEIGHBOR where places are rounded down."""
    x, name, told = op.inputs[0], op.outputs[0], op.attributes
    mode, places = told.get("mode", "nearest"), told.get("coordinate_transformation_mode", "half_pixel")
    rounded = mode != "nearest" or (places == "asymmetric" and told.get("nearest_mode") == "floor")
    made = low.shape(name)
    if mode == "cubic" or places not in CENTRES or not rounded or len(made) != 4 or made[:2] != low.shape(x)[:2]:
        raise UnsupportedOp(f"{op}: {mode} with places {places} can't be written as tflite")
    code = "RESIZE_BILINEAR" if mode == "linear" else "RESIZE_NEAREST_NEIGHBOR"
    size = constant(f"{name}/size", np.array(made[2:], np.int32))
    low.put(name, low.emit(code, [low.want(x, LAST), size], name, in_layout(made, LAST), **CENTRES[places]), LAST)


def conv_transpose(low: Lowering, op: Op) -> None:
    """TRANSPOSE_CONV; where its own padding isn't ONNX's, without any, and the edges are cut off."""
    x, name, weight = op.inputs[0], op.outputs[0], low.needed(op, 1, "its weight")
    if weight.ndim != 4 or op.attributes.get("group", 1) != 1:
        raise UnsupportedOp(f"{op}: tflite's transposed convolution has two axes of space and one group")
    move = window(op, weight.shape[2:])
    if move.dilations != (1, 1):
        raise UnsupportedOp(f"{op}: tflite's transposed convolution has no dilation")
    bias = low.needed(op, 2, "its bias") if len(op.inputs) > 2 and op.inputs[2] else np.zeros(weight.shape[1])
    made, full = low.shape(name), _full(area(low.shape(x)), move.size, move.strides)
    same = all(first == max(0, all_ - size) // 2 for first, all_, size in zip(move.before, full, area(made)))
    same &= all(all_ >= size for all_, size in zip(full, area(made)))
    end = tail(low, op)
    shape = in_layout(made, LAST) if same else (made[0], *full, made[1])
    fixed = [constant(f"{name}/shape", np.array(shape, np.int32))]
    fixed.append(constant(f"{op.inputs[1]}/turned", weight.transpose(1, 2, 3, 0).astype(np.float32)))
    inputs: list[Tensor] = [*fixed, low.want(x, LAST), constant(f"{name}/bias", bias.astype(np.float32))]
    options = move.options(SAME if same else VALID) | {"fusedActivationFunction": end.activation}
    whole = low.emit(
        "TRANSPOSE_CONV", inputs, end.name if same else f"{end.name}/whole", shape, dtype="float32", **options
    )
    if not same and any(b + s > f for b, s, f in zip(move.before, area(made), full)):
        raise UnsupportedOp(f"{op}: its output padding lies outside of what tflite computes")
    part = whole if same else cut(low, whole, (0, *move.before, 0), in_layout(made, LAST), end.name)
    low.put(end.name, part, LAST)


def _full(size: tuple[int, int], kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    """The area that a transposed convolution makes without padding."""
    height, width = ((s - 1) * step + k for s, k, step in zip(size, kernel, strides))
    return height, width


def depth_to_space(low: Lowering, op: Op) -> None:
    """DEPTH_TO_SPACE, or the same by TRANSPOSE where channels of a block are neighbours (mode CRD)."""
    x, name, block = op.inputs[0], op.outputs[0], int(op.attributes["blocksize"])
    batch, channels, height, width = low.shape(x)
    given, made = low.want(x, LAST), in_layout(low.shape(name), LAST)
    if op.attributes.get("mode", "DCR") == "DCR":
        low.put(name, low.emit("DEPTH_TO_SPACE", [given], name, made, blockSize=block), LAST)
        return
    apart = low.reshaped(given, (batch, height, width, channels // block**2, block, block), f"{name}/apart")
    low.put(name, low.reshaped(low.transposed(apart, (0, 1, 4, 2, 5, 3), f"{name}/turned"), made, name), LAST)
