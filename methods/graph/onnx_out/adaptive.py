"""How pooling to a given size is written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import fx

from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.pool import batched, finish, last, rank_of, ranks
from methods.graph.onnx_out.types import refuse


def adaptive_average(e: Emitter, node: fx.Node) -> str:
    """To a given size: one average, windows of equal size, or a product with a matrix of averages for each axis."""
    rank = rank_of(node)
    before, after = e.shape(node.args[0])[-rank:], e.shape(node)[-rank:]
    value, added = batched(e, node, rank)
    if all(size == 1 for size in after):
        return last(e, "GlobalAveragePool", value, node, added)
    if not any(b % a for b, a in zip(before, after, strict=True)):
        kernel = [b // a for b, a in zip(before, after, strict=True)]
        return last(e, "AveragePool", value, node, added, kernel_shape=kernel, strides=kernel)
    shape = (1,) * added + e.shape(node.args[0])
    value = by_matrices(e, value, shape, [averages(b, a) for b, a in zip(before, after, strict=True)])
    return finish(e, value, node, added)


def by_matrices(e: Emitter, value: str, shape: tuple[int, ...], matrices: list[Any]) -> str:
    """Each of the last axes of a value of that shape times its matrix `[after, before]`; None leaves an axis."""
    sizes = list(shape)
    for axis, matrix in enumerate(matrices, len(shape) - len(matrices)):
        if matrix is None:
            continue
        if axis == len(shape) - 1:
            value = e.emit("MatMul", [value, e.floats(matrix.T)])
        else:
            flat = e.reshape(value, (*sizes[: axis + 1], int(np.prod(sizes[axis + 1 :]))))
            sizes[axis] = len(matrix)
            value = e.reshape(e.emit("MatMul", [e.floats(matrix), flat]), tuple(sizes))
    return value


def bins(before: int, after: int) -> list[range]:
    """The stretch of an axis behind each entry of an adaptive pooling: floor(i b / a) to ceil((i + 1) b / a)."""
    return [range(i * before // after, -(-(i + 1) * before // after)) for i in range(after)]


def averages(before: int, after: int) -> np.ndarray[Any, Any]:
    """The matrix `[after, before]` that averages over the bins."""
    matrix = np.zeros((after, before), np.float32)
    for row, stretch in enumerate(bins(before, after)):
        matrix[row, stretch.start : stretch.stop] = 1 / len(stretch)
    return matrix


def adaptive_largest(e: Emitter, node: fx.Node) -> list[str]:
    """The largest in each bin, axis by axis: bins gathered to equal length by repeating their last entry."""
    if any(u.args[1] == 1 and u.users for u in node.users if len(u.args) > 1):
        raise refuse(
            node, "the positions of the largest entries have no ONNX form here", "use max pooling of fixed size"
        )
    rank, value = rank_of(node), e.value(node.args[0])
    before, after = e.shape(node.args[0]), e.shape(node)
    for axis in range(len(before) - rank, len(before)):
        parts = bins(before[axis], after[axis])
        longest = max(len(p) for p in parts)
        index = np.array([[p[min(i, len(p) - 1)] for i in range(longest)] for p in parts])
        value = e.emit("Gather", [value, e.constant(index)], axis=axis)
        value = e.emit("ReduceMax", [value, e.ints([axis + 1])], keepdims=0)
    return [value, ""]


TABLE: Mapping[str, Translator] = ranks("adaptive_avg_pool{}d", adaptive_average) | ranks(
    "adaptive_max_pool{}d", adaptive_largest
)
