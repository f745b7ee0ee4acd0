"""Convolutions: channels last, one or two axes of space (one is written as two, the first of size 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import tail, target
from hwmodels.profilers.tflite.lower import LAST, Lowering, in_layout
from hwmodels.profilers.tflite.model import Array, Scale, Tensor, constant
from hwmodels.profilers.tflite.program import Op

SAME, VALID = range(2)
"""How tflite pads (`Padding`)."""


@dataclass(frozen=True)
class Window:
    """How a kernel moves over the two axes of space."""

    size: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    before: tuple[int, int]

    def options(self, padding: int) -> dict[str, int]:
        return {"padding": padding, "strideH": self.strides[0], "strideW": self.strides[1]}


def window(op: Op, size: Sequence[int]) -> Window:
    """From the attributes of an ONNX operator."""
    rank, told = len(size), op.attributes
    if rank not in (1, 2):
        raise UnsupportedOp(f"{op} moves over {rank} axes; tflite files here hold one or two")
    if told.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise UnsupportedOp(f"{op}: auto_pad {told['auto_pad']} isn't written; give its pads")
    strides, dilations = told.get("strides", [1] * rank), told.get("dilations", [1] * rank)
    before = told.get("pads", [0] * rank)[:rank]
    return Window(_two(size, 1), _two(strides, 1), _two(dilations, 1), _two(before, 0))


def conv(low: Lowering, op: Op) -> None:
    """CONV_2D or DEPTHWISE_CONV_2D with the activation after it."""
    x, w = op.inputs[:2]
    weight, made = low.needed(op, 1, "its weight"), low.shape(op.outputs[0])
    bias = low.needed(op, 2, "its bias") if len(op.inputs) > 2 and op.inputs[2] else np.zeros(made[1], np.float32)
    move = window(op, weight.shape[2:])
    codes = takes_codes(low, x, w)
    end = tail(low, op, codes=codes)
    scale = (end.scale or target(low, end.name)) if codes else None
    source = low.scale_of(x) if scale is not None else None
    given = flat(low, x, low.want(x, LAST, source))
    given, padding = padded(low, given, area(made), move, f"{x}/pad")
    depthwise = op.attributes.get("group", 1) == low.shape(x)[1] > 1
    fixed = parameters(low, w, _turned(weight, depthwise), bias, 3 if depthwise else 0, source)
    options: dict[str, Any] = move.options(padding) | {"fusedActivationFunction": end.activation}
    options |= {"dilationHFactor": move.dilations[0], "dilationWFactor": move.dilations[1]}
    if depthwise:
        options["depthMultiplier"] = weight.shape[0] // low.shape(x)[1]
    code = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    leave(low, low.emit(code, [given, *fixed], end.name, image(made), scale=scale, **options), end.name)


def takes_codes(low: Lowering, x: str, w: str) -> bool:
    """Whether a layer's input is held in codes and its weight is codes around zero."""
    return low.scale_of(x) is not None and w in low.codes and not any(low.codes[w][1].zero)


def parameters(
    low: Lowering, w: str, weight: Array, bias: Array, axis: int, source: Scale | None
) -> tuple[Tensor, Tensor]:
    """Weight (its outputs along `axis`) and bias; as codes for an input with the scale `source`."""
    name = f"{w}/{'x'.join(map(str, weight.shape))}"
    if source is None:
        return constant(name, weight.astype(np.float32)), constant(f"{name}/bias", bias.astype(np.float32))
    steps = np.broadcast_to(np.array(low.codes[w][1].scale, np.float32), len(bias))
    view = [1] * weight.ndim
    view[axis] = -1
    codes = np.round(weight / steps.reshape(view)).astype(np.int8)
    both = steps.astype(np.float64) * source.scale[0]
    adds = np.clip(np.round(bias / both), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    none = (0,) * len(bias)
    return (
        constant(name, codes, Scale(tuple(map(float, steps)), none, axis)),
        constant(f"{name}/bias", adds, Scale(tuple(map(float, both)), none)),
    )


def padded(
    low: Lowering, given: Tensor, made: tuple[int, int], move: Window, name: str, value: float | None = None
) -> tuple[Tensor, int]:
    """The input, padded by an operator of its own where neither SAME nor VALID does it, and which of them is left."""
    edges, same = [], True
    for axis in range(2):
        size, stride = given.shape[axis + 1], move.strides[axis]
        needed = (made[axis] - 1) * stride + (move.size[axis] - 1) * move.dilations[axis] + 1
        edges.append((move.before[axis], max(0, needed - size - move.before[axis])))
        same &= made[axis] == -(-size // stride) and move.before[axis] == max(0, needed - size) // 2
    if not any(map(any, edges)):
        return given, VALID
    if same:
        return given, SAME
    return pad(low, given, [(0, 0), *edges, (0, 0)], name, value), VALID


def pad(low: Lowering, given: Tensor, edges: Sequence[tuple[int, int]], name: str, value: float | None) -> Tensor:
    """PAD with zero, or PADV2 with another value."""
    shape = [size + sum(edge) for size, edge in zip(given.shape, edges)]
    inputs = [given, constant(f"{name}/edges", np.array(edges, np.int32))]
    if value is not None:
        filled = np.array([-128 if given.scale else value], given.dtype)
        inputs.append(constant(f"{name}/value", filled, given.scale))
    return low.emit("PAD" if value is None else "PADV2", inputs, name, shape, scale=given.scale)


def flat(low: Lowering, name: str, tensor: Tensor) -> Tensor:
    """A tensor `[N, L, C]` as `[N, 1, L, C]`; one with two axes of space as it is."""
    return tensor if len(tensor.shape) == 4 else low.reshaped(tensor, image(low.shape(name)), f"{name}/flat")


def leave(low: Lowering, tensor: Tensor, name: str) -> None:
    """The result `[N, H, W, C]` as a form of a value, which may have one axis of space."""
    shape = in_layout(low.shape(name), LAST)
    low.put(name, tensor if len(shape) == 4 else low.reshaped(tensor, shape, f"{name}/line"), LAST)


def image(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape of ONNX as `[N, H, W, C]`."""
    return (shape[0], *_two(shape[2:], 1), shape[1])


def area(shape: Sequence[int]) -> tuple[int, int]:
    return _two(shape[2:], 1)


def _two(values: Sequence[int], first: int) -> tuple[int, int]:
    both = [first, *values][-2:]
    return int(both[0]), int(both[1])


def _turned(weight: Array, depthwise: bool) -> Array:
    """`[O, I, H, W]` as `[O, H, W, I]`, or as `[1, H, W, O]` for a depthwise one."""
    four = weight if weight.ndim == 4 else weight[:, :, None, :]
    return four.transpose(1, 2, 3, 0) if depthwise else four.transpose(0, 2, 3, 1)
