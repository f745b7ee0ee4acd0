"""Layers whose time is that of fetching their weights, timed as they are in a network that doesn't fit the caches.

A linear layer on a few rows reads each weight once or a few times. Called alone again and again its weights stay in
the nearest cache; between two calls of a network all its other constants pass through. Such a layer is timed as a row
of copies, each with weights of its own, that together are as large as the network's constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import log2, prod

from hwmodels.profilers.tflite.model import Model, Operator, Tensor

FEW = 16
"""Rows of a linear layer up to which its weights are what takes time."""
LEAST, MOST = 36, 52
"""Size classes: constants below the one stay in any cache, and beyond the other more make no difference."""
COPIES = 64


def size_class(model: Model) -> int:
    """Of the bytes of a program's constants, in half powers of two (20: 2^10 bytes); 0 for a program that is small.

    Finer than whole powers: at the edge of a cache a fifth more bytes take a third more time.
    """
    constants = {id(t): t for o in model.operators for t in o.inputs if t is not None and t.data is not None}
    size = sum(_bytes(tensor) for tensor in constants.values())
    nearest = round(2 * log2(max(1, size)))
    return min(MOST, nearest) if nearest >= LEAST else 0


def copies_for(group: Sequence[Operator], beside: int) -> int:
    """How many copies of a layer are as large as a program of size class `beside`; 1 where that is no matter."""
    weight = group[-1].inputs[1] if len(group) == 1 and group[-1].code == "FULLY_CONNECTED" else None
    if weight is None or weight.data is None or not beside or prod(group[-1].outputs[0].shape[:-1]) > FEW:
        return 1
    return max(1, min(COPIES, int(2.0 ** (beside / 2) / _bytes(weight) + 0.25)))


def repeated(operator: Operator, copies: int) -> Model:
    """The operator several times side by side, on inputs of their own; the file holds its constants once."""
    rows = [_copy(operator, number) for number in range(copies)]
    inputs = [t for row in rows for t in dict.fromkeys(row.inputs) if t is not None and t.data is None]
    return Model(tuple(rows), tuple(inputs), tuple(t for row in rows for t in row.outputs))


def _copy(operator: Operator, number: int) -> Operator:
    def named(tensor: Tensor) -> Tensor:
        return replace(tensor, name=f"{tensor.name}/{number}")

    inputs = tuple(named(t) if t is not None and t.data is None else t for t in operator.inputs)
    return replace(operator, inputs=inputs, outputs=tuple(map(named, operator.outputs)))


def _bytes(tensor: Tensor) -> int:
    return 0 if tensor.data is None else int(tensor.data.nbytes)
