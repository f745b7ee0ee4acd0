"""Sums and products that belong to the layer before them: biases, and the weights of a group normalisation.

Exporters write them as nodes of their own, sometimes behind a transpose or reshape; joined to their layer they are
trained, pruned and exported with it.
"""

from __future__ import annotations

from math import prod

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.ops_math import combine
from methods.graph.onnx_in.values import Value

BIAS = {"linear": (-1, 2), "conv1d": (1, 2), "conv2d": (1, 2), "conv3d": (1, 2), "group_norm": (1, 3)}
WEIGHT = {"group_norm": (1, 2)}
"""Layer -> its axis of channels, and which of its arguments is the bias or weight."""


def add(op: Op) -> Value:
    """Addition; of a constant vector to a fresh layer, as its bias."""
    return _joined(op, BIAS, "bias") or combine(op, "add", op[0], op[1])


def mul(op: Op) -> Value:
    """A product; of a group normalisation and a constant vector, as its weight."""
    return _joined(op, WEIGHT, "weight") or combine(op, "mul", op[0], op[1])


def _joined(op: Op, layers: dict[str, tuple[int, int]], leaf: str) -> Value | None:
    """The value among two whose layer takes the other one, a constant vector, as its own; None where there is none."""
    for value, vector in ((op[0], op[1]), (op[1], op[0])):
        if vector.live or not value.live or not op.only_reader or not vector.fixed or not vector.is_float:
            continue
        axis = _axis(value, vector)
        layer, axis = _made_by(value, axis) if axis is not None else (value, None)
        row = op.b.row_of(layer)
        kind = row[2].removeprefix("aten.").partition(".")[0] if row else ""
        if kind not in layers or axis is None or layers[kind][0] % layer.rank != axis or layer.shared or value.shared:
            continue
        if row[3][layers[kind][1]] is None:
            flat = vector if vector.rank == 1 else op.b.call("reshape.default", vector, [-1])
            flat.name = vector.name
            row[3][layers[kind][1]] = "%" + op.b.weight(flat, leaf, owner=op.b.layer_of(layer)).row
            return value
    return None


def _axis(value: Value, vector: Value) -> int | None:
    """The axis of a value that a constant of as many numbers varies along; None for any other constant."""
    shape = [1] * (value.rank - vector.rank) + list(vector.probes[0].shape)
    wide = [i for i, size in enumerate(shape) if size != 1]
    if len(shape) != value.rank or len(wide) > 1:
        return None
    axis = wide[0] if wide else value.rank - 1
    return axis if shape[axis] == value.sizes[axis] else None


def _made_by(value: Value, axis: int) -> tuple[Value, int | None]:
    """The value that another one is a permutation or reshape of, and where the axis was there."""
    found: int | None = axis
    while value.parent is not None and value.solo and not value.shared and found is not None:
        parent = value.parent
        if value.order:
            found = value.order[found]
        else:
            behind = prod(value.probes[0].shape[found + 1 :])
            size, shape = value.sizes[found], parent.probes[0].shape
            same = [i for i, s in enumerate(parent.sizes) if s == size and prod(shape[i + 1 :]) == behind]
            found = same[0] if same else None
        value = parent
    return value, found
