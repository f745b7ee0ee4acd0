"""Operators that take parts of a tensor, in the layout and the codes that it comes in where that can be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.lower import LAST, PLAIN, Lowering, axis_in, in_layout, order
from hwmodels.profilers.tflite.model import Tensor, constant
from hwmodels.profilers.tflite.program import Op


def split(low: Lowering, op: Op) -> None:
    """One SLICE a part, which runtimes take into their own graphs more readily than SPLIT_V."""
    tensor, layout = low.held(op.inputs[0])
    rank, start = len(tensor.shape), 0
    axis = int(op.attributes.get("axis", 0)) % rank
    for name in op.outputs:
        shape = low.shape(name)
        begin = [0] * rank
        begin[axis_in(axis, rank, layout)] = start
        low.put(name, cut(low, tensor, begin, in_layout(shape, layout), name), layout)
        start += shape[axis]


def cut(low: Lowering, tensor: Tensor, begin: Sequence[int], size: Sequence[int], name: str) -> Tensor:
    """SLICE: a part without steps."""
    places = [constant(f"{name}/begin", np.array(begin, np.int32)), constant(f"{name}/size", np.array(size, np.int32))]
    return low.emit("SLICE", [tensor, *places], name, size, scale=tensor.scale, dtype=tensor.dtype)


def slice_(low: Lowering, op: Op) -> None:
    """SLICE, or STRIDED_SLICE where there are steps."""
    x, name = op.inputs[0], op.outputs[0]
    tensor, layout = low.held(x)
    given, rank = low.shape(x), len(low.shape(x))
    starts, _, axes, steps = _bounds(low, op)
    begin, step = [0] * rank, [1] * rank
    for axis, start, one in zip(axes, starts, steps):
        if one < 0:
            raise UnsupportedOp(f"{op}: steps backwards can't be written as tflite")
        place = axis_in(axis, rank, layout)
        begin[place] = min(max(start + given[axis] if start < 0 else start, 0), given[axis])
        step[place] = one
    shape = in_layout(low.shape(name), layout)
    if set(step) == {1}:
        low.put(name, cut(low, tensor, begin, shape, name), layout)
        return
    ends = [first + (size - 1) * one + 1 for first, size, one in zip(begin, shape, step)]
    places = [
        constant(f"{name}/{what}", np.array(v, np.int32))
        for what, v in (("begin", begin), ("end", ends), ("step", step))
    ]
    low.put(
        name, low.emit("STRIDED_SLICE", [tensor, *places], name, shape, scale=tensor.scale, dtype=tensor.dtype), layout
    )


def _bounds(low: Lowering, op: Op) -> tuple[list[int], list[int], list[int], list[int]]:
    given = [
        [int(v) for v in low.needed(op, n, "its bounds").reshape(-1)] if n < len(op.inputs) and op.inputs[n] else []
        for n in range(1, 5)
    ]
    starts, ends, axes, steps = given
    rank = len(low.shape(op.inputs[0]))
    axes = [axis % rank for axis in axes] or list(range(len(starts)))
    return starts, ends, axes, steps or [1] * len(starts)


def gather(low: Lowering, op: Op) -> None:
    """One entry of an axis as a SLICE, several by GATHER."""
    x, name = op.inputs[0], op.outputs[0]
    places = low.fixed(op.inputs[1])
    rank = len(low.shape(x))
    axis = int(op.attributes.get("axis", 0)) % rank
    if places is None or places.size != 1 or low.fixed(x) is not None:
        index = low.want(op.inputs[1])
        options = {"axis": axis, "batchDims": 0}
        source = low.want(x)
        low.put(name, low.emit("GATHER", [source, index], name, low.shape(name), dtype=source.dtype, **options))
        return
    tensor, layout = low.held(x)
    begin, size = [0] * rank, list(tensor.shape)
    place = axis_in(axis, rank, layout)
    begin[place], size[place] = int(places.item()) % low.shape(x)[axis], 1
    part = cut(low, tensor, begin, size, f"{name}/slice")
    if layout == LAST and axis != 1:
        part = low.transposed(part, order(rank, PLAIN), f"{name}/plain")
    low.put(name, low.reshaped(part, low.shape(name), name))
