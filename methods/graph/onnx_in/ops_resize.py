"""Resize and Upsample: torch's own where it computes the same, otherwise a pick or a product along each axis."""

from __future__ import annotations

from math import ceil, floor

import torch
from torch import Tensor

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Value, constant

NEAREST = ("upsample_nearest1d.vec", "upsample_nearest2d.vec", "upsample_nearest3d.vec")
LINEAR = ("upsample_linear1d.vec", "upsample_bilinear2d.vec", "upsample_trilinear3d.vec")
ROUNDS = {
    "floor": floor,
    "ceil": ceil,
    "round_prefer_floor": lambda x: ceil(x - 0.5),
    "round_prefer_ceil": lambda x: floor(x + 0.5),
}

MAX_SIZE = 1 << 16
"""Longest axis that is made; its positions are worked out one by one."""


def resize(op: Op) -> Value:
    value, mode = op[0], op.text("mode", "nearest")
    if op.integer("antialias") or op.integer("exclude_outside"):
        raise op.bad("antialias and exclude_outside are not supported; resize without them")
    if mode not in ("nearest", "linear"):
        raise op.bad(f"mode {mode[:40]!r} is not supported; use linear or nearest")
    before = list(value.probes[0].shape)
    after, scales = _target(op, before)
    changed = [i for i in range(value.rank) if after[i] != before[i] or scales[i] != 1.0]
    if not changed:
        return value
    if max(after) > MAX_SIZE:
        raise op.bad(f"an axis of {max(after)} is longer than {MAX_SIZE}")
    if changed[0] < 2:
        raise op.bad("only the axes behind the channels can be resized")
    if mode == "nearest":
        return _nearest(op, value, before, after, scales)
    return _linear(op, value, before, after, scales)


def _target(op: Op, before: list[int]) -> tuple[list[int], list[float]]:
    """Sizes behind the resize and the factor of every axis."""
    held = op.attributes.get("scales")
    scales_at = 2 if op.version >= 11 else 1
    scales = op.get(scales_at)
    sizes = op.pairs(3)
    chosen = op.ints("axes") or list(range(len(before)))
    axes = [op.position(a, len(before)) for a in chosen]
    after, factors = list(before), [1.0] * len(before)
    if sizes is not None and sizes[0]:
        if op.text("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise op.bad("keep_aspect_ratio_policy is not supported; give the sizes")
        for axis, size, other in zip(axes, *sizes, strict=True):
            if size == other:
                after[axis], factors[axis] = size, size / before[axis]
        return after, factors
    if held is None and (scales is None or scales.live or not scales.fixed):
        raise op.bad("its scales must be known")
    numbers = [float(s) for s in held] if held is not None else scales.probes[0].tolist()  # type: ignore[union-attr]
    for axis, factor in zip(axes, numbers, strict=True):
        after[axis], factors[axis] = floor(before[axis] * factor), factor
    return after, factors


def _source(op: Op, position: int, before: int, after: int, scale: float) -> float:
    """Where a number of the result comes from on the axis before."""
    mode = op.text("coordinate_transformation_mode", "half_pixel" if op.version >= 11 else "asymmetric")
    if mode == "half_pixel":
        return (position + 0.5) / scale - 0.5
    if mode == "pytorch_half_pixel":
        return (position + 0.5) / scale - 0.5 if after > 1 else 0.0
    if mode == "align_corners":
        return position * (before - 1) / (after - 1) if after > 1 else 0.0
    if mode == "asymmetric":
        return position / scale
    raise op.bad(f"coordinates {mode[:40]!r} are not supported; use half_pixel, asymmetric or align_corners")


def _nearest(op: Op, value: Value, before: list[int], after: list[int], scales: list[float]) -> Value:
    kind = op.text("nearest_mode", "round_prefer_floor" if op.version >= 11 else "floor")
    if kind not in ROUNDS:
        raise op.bad(f"nearest_mode {kind[:40]!r} is not known")
    picks: dict[int, list[int]] = {}
    for axis in range(2, len(before)):
        size = before[axis]
        found = [ROUNDS[kind](_source(op, i, size, after[axis], scales[axis])) for i in range(after[axis])]
        picks[axis] = [min(max(i, 0), size - 1) for i in found]
    usual = all(p == [i * before[a] // after[a] for i in range(after[a])] for a, p in picks.items())
    if usual and 3 <= len(before) <= 5:
        return op.b.call(NEAREST[len(before) - 3], value, after[2:], None)
    for axis, pick in picks.items():
        if pick != list(range(before[axis])):
            value = op.b.call("index_select.default", value, axis, constant(torch.tensor(pick)))
    return value


def _linear(op: Op, value: Value, before: list[int], after: list[int], scales: list[float]) -> Value:
    mode = op.text("coordinate_transformation_mode", "half_pixel" if op.version >= 11 else "asymmetric")
    exact = all(abs(after[i] / before[i] - scales[i]) < 1e-6 for i in range(len(before)))
    if 3 <= len(before) <= 5 and (mode == "align_corners" or (exact and mode.endswith("half_pixel"))):
        corners = mode == "align_corners"
        return op.b.call(LINEAR[len(before) - 3], value, after[2:], corners, None)
    for axis in range(2, len(before)):
        if after[axis] == before[axis] and scales[axis] == 1.0:
            continue
        matrix = constant(_weights(op, before[axis], after[axis], scales[axis]))
        last = op.b.call("transpose.int", value, axis, -1)
        value = op.b.call("transpose.int", op.b.call("matmul.default", last, matrix), axis, -1)
    return value


def _weights(op: Op, before: int, after: int, scale: float) -> Tensor:
    """How much every number of an axis has of every one of the result: `[before, after]`."""
    weights = torch.zeros(before, after)
    for i in range(after):
        place = min(max(_source(op, i, before, after, scale), 0.0), before - 1.0)
        low = floor(place)
        weights[low, i] += 1.0 - (place - low)
        weights[min(low + 1, before - 1), i] += place - low
    return weights
