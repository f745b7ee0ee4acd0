"""Operators that only move values: on floats or codes alike, in the layout that they come in where that can be."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import target
from hwmodels.profilers.tflite.lower import LAST, PLAIN, Lowering, axis_in, in_layout, order
from hwmodels.profilers.tflite.model import constant
from hwmodels.profilers.tflite.program import Op


def identity(low: Lowering, op: Op) -> None:
    low.alias(op.outputs[0], op.inputs[0])


def reshape(low: Lowering, op: Op) -> None:
    """Reshape, Flatten, Squeeze, Unsqueeze. With the channels last it stays so where batch and channels do."""
    x, name = op.inputs[0], op.outputs[0]
    given, made = low.shape(x), low.shape(name)
    tensor, layout = low.held(x)
    if layout == LAST and not _same_order(given):
        if len(made) > 2 and made[:2] == given[:2]:
            low.put(name, low.reshaped(tensor, in_layout(made, LAST), name), LAST)
            return
        tensor = low.want(x, PLAIN, tensor.scale)
    low.put(name, low.reshaped(tensor, made, name))


def _same_order(shape: Sequence[int]) -> bool:
    """Whether the entries lie in one order in both layouts."""
    return shape[1] == 1 or prod(shape[2:]) == 1


def transpose(low: Lowering, op: Op) -> None:
    """TRANSPOSE, or nothing where the other layout is what is asked for."""
    x, name = op.inputs[0], op.outputs[0]
    rank = len(low.shape(x))
    axes = tuple(op.attributes.get("perm", range(rank)[::-1]))
    tensor, layout = low.held(x)
    if layout == PLAIN and rank > 2 and axes == order(rank, PLAIN):
        low.put(name, tensor, LAST)
        return
    if layout == LAST:
        axes = tuple(axis_in(axis, rank, LAST) for axis in axes)
    low.put(name, tensor if axes == tuple(range(rank)) else low.transposed(tensor, axes, name))


def concat(low: Lowering, op: Op) -> None:
    """CONCATENATION, in codes where all that read it take the same ones."""
    name, rank = op.outputs[0], len(low.shape(op.outputs[0]))
    if len(op.inputs) == 1:
        low.alias(name, op.inputs[0])
        return
    held = {low.scale_of(x) for x in op.inputs}
    scale = target(low, name) or (held.pop() if len(held) == 1 else None)
    layout = LAST if rank > 2 and any(low.layout_of(x) == LAST for x in op.inputs) else PLAIN
    given = [low.want(x, layout, scale) for x in op.inputs]
    axis = axis_in(int(op.attributes["axis"]), rank, layout)
    shape = in_layout(low.shape(name), layout)
    low.put(name, low.emit("CONCATENATION", given, name, shape, scale=scale, axis=axis), layout)


def pad_(low: Lowering, op: Op) -> None:
    """PAD with zeros or PADV2 with another number."""
    if op.attributes.get("mode", "constant") != "constant":
        raise UnsupportedOp(f"{op}: only padding with a constant can be written as tflite")
    x, name = op.inputs[0], op.outputs[0]
    rank = len(low.shape(x))
    told = [int(v) for v in low.needed(op, 1, "its pads")]
    value = float(low.needed(op, 2, "its value").item()) if len(op.inputs) > 2 and op.inputs[2] else 0.0
    given = (
        [int(v) % rank for v in low.needed(op, 3, "its axes")] if len(op.inputs) > 3 and op.inputs[3] else range(rank)
    )
    if min(told, default=0) < 0:
        raise UnsupportedOp(f"{op}: pads below zero can't be written as tflite")
    tensor, layout = low.held(x) if value == 0.0 else (low.want(x, low.layout_of(x)), low.layout_of(x))
    edges = np.zeros((rank, 2), np.int32)
    for place, axis in enumerate(given):
        edges[axis_in(axis, rank, layout)] = told[place], told[place + len(told) // 2]
    inputs = [tensor, constant(f"{name}/edges", edges)]
    if value != 0.0:
        inputs.append(constant(f"{name}/value", np.array([value], np.float32)))
    shape = in_layout(low.shape(name), layout)
    low.put(name, low.emit("PADV2" if value else "PAD", inputs, name, shape, scale=tensor.scale), layout)


def expand(low: Lowering, op: Op) -> None:
    """BROADCAST_TO."""
    name = op.outputs[0]
    shape = constant(f"{name}/shape", np.array(low.shape(name), np.int32))
    low.put(name, low.emit("BROADCAST_TO", [low.want(op.inputs[0]), shape], name, low.shape(name)))


def cast(low: Lowering, op: Op) -> None:
    """CAST between the types that both have."""
    name, layout = op.outputs[0], low.layout_of(op.inputs[0])
    given = low.want(op.inputs[0], layout)
    low.put(name, low.emit("CAST", [given], name, given.shape, dtype=low.program.dtypes[name]), layout)
