"""Which weights stay, at every granularity: single weights, N of every M, blocks, rows, columns, kernels.

Scores have a weight's shape, `[out, in]` or `[out, in, k, ...]`; larger is worth more, below zero is "gone already".
A unit of several weights is worth the sum of their scores, and gone already where all of them are. Every function
gives a boolean mask of that shape with exactly as many units removed as asked for; of equals the earlier ones stay.

References: single weights: Han et al., "Learning both weights and connections", 2015, arXiv 1506.02626; N of M: Mishra
et al., "Accelerating sparse deep neural networks", 2021, arXiv 2104.08378; blocks: Narang et al., "Block-sparse
recurrent neural networks", 2017, arXiv 1711.02782; kernels: Mao et al., "Exploring the regularity of sparse structure
in convolutional neural networks", 2017, arXiv 1705.08922.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Scores = NDArray[np.float64]
Shape = tuple[int, ...]


def units_left(units: int, share: float) -> int:
    """How many of `units` stay when the share `share` of them does: `units` less the rounded share that goes."""
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share lies between 0 and 1, not at {share}")
    return units - round(round(1.0 - share, 12) * units)


def best(scores: Scores, count: int) -> Mask:
    """The `count` highest of all, in linear time. Raises ValueError for scores that are not numbers."""
    if not 0 <= count <= scores.size:
        raise ValueError(f"{count} of {scores.size} units can't stay")
    _check(scores)
    if count in (0, scores.size):
        return np.full(scores.shape, bool(count))
    flat = scores.reshape(-1)
    edge = np.partition(flat, flat.size - count)[flat.size - count]
    mask: Mask = flat > edge
    mask[np.flatnonzero(flat == edge)[: count - int(mask.sum())]] = True
    return mask.reshape(scores.shape)


def best_of_all(scores: Sequence[Scores], count: int) -> list[Mask]:
    """The `count` highest of several tensors together, one threshold for all. Each tensor keeps its best one, so that
    no layer is cut through (Tanaka et al., "Pruning neural networks without any data", 2020, arXiv 2006.05467)."""
    if count < len(scores):
        raise ValueError(f"{count} weights for {len(scores)} tensors: at least one each must stay")
    flat = np.concatenate([s.reshape(-1).astype(np.float64) for s in scores])
    ends = np.cumsum([0, *(s.size for s in scores)])
    spans = [slice(start, end) for start, end in pairwise(ends.tolist())]
    for span in spans:
        flat[span.start + int(flat[span].argmax())] = np.inf
    mask = best(flat, count)
    return [mask[span].reshape(s.shape) for span, s in zip(spans, scores, strict=True)]


def n_of_m(scores: Scores, n: int, m: int) -> Mask:
    """The `n` highest of every `m` neighbours along the unfolded inputs; a shorter rest keeps up to `n` too."""
    if not 1 <= n <= m:
        raise ValueError(f"{n} of every {m} weights can't stay")
    matrix = unfolded(scores)
    rest = -matrix.shape[1] % m
    padded = np.pad(matrix, ((0, 0), (0, rest)), constant_values=-np.inf).reshape(len(matrix), -1, m)
    mask = best_along(padded, n).reshape(len(matrix), -1)[:, : matrix.shape[1]]
    return mask.reshape(scores.shape)


def n_of_m_left(shape: Shape, n: int, m: int) -> int:
    """How many weights `n_of_m` keeps."""
    length = prod(shape[1:])
    return shape[0] * (length // m * n + min(n, length % m))


def blocks(scores: Scores, height: int, width: int, count: int) -> Mask:
    """The `count` best blocks of `height` outputs x `width` unfolded inputs. What is left over at the lower and right
    edge, where no whole block fits, stays. Raises ValueError where there is no whole block."""
    matrix = unfolded(scores)
    blocks_of(scores.shape, height, width)
    down, across = matrix.shape[0] // height, matrix.shape[1] // width
    tiles = matrix[: down * height, : across * width].reshape(down, height, across, width)
    kept = best(worth(tiles.swapaxes(1, 2).reshape(down, across, -1)), count)
    mask = np.ones(matrix.shape, np.bool_)
    mask[: down * height, : across * width] = kept.repeat(height, 0).repeat(width, 1)
    return mask.reshape(scores.shape)


def blocks_of(shape: Shape, height: int, width: int) -> int:
    """The number of whole blocks of a weight. Raises ValueError where there is none."""
    outputs, inputs = shape[0], prod(shape[1:])
    if not (1 <= height <= outputs and 1 <= width <= inputs):
        raise ValueError(f"a matrix of {outputs} x {inputs} has no block of {height} x {width}")
    return (outputs // height) * (inputs // width)


def rows(scores: Scores, count: int) -> Mask:
    """The `count` best outputs: rows of the unfolded matrix."""
    matrix = unfolded(scores)
    kept = best(worth(matrix), count)
    return np.broadcast_to(kept[:, None], matrix.shape).reshape(scores.shape).copy()


def columns(scores: Scores, count: int) -> Mask:
    """The `count` best columns of the unfolded matrix: one input at one place of the kernel, for all outputs alike."""
    matrix = unfolded(scores)
    kept = best(worth(matrix.T), count)
    return np.broadcast_to(kept, matrix.shape).reshape(scores.shape).copy()


def kernels(scores: Scores, count: int) -> Mask:
    """The `count` best kernels `[k, ...]`, one for each output and input."""
    slices = scores.reshape(*scores.shape[:2], -1)
    kept = best(worth(slices), count)
    return np.broadcast_to(kept[..., None], slices.shape).reshape(scores.shape).copy()


def unfolded(scores: Scores) -> Scores:
    """The matrix `[out, in * k * ...]` that a product with unfolded inputs sees."""
    return scores.reshape(scores.shape[0], -1)


def worth(units: Scores) -> Scores:
    """The score of units `[..., weights]`: the sum of what is left of them, -1 where nothing is."""
    return np.where((units < 0).all(axis=-1), -1.0, np.maximum(units, 0.0).sum(axis=-1))


def best_along(scores: Scores, count: int) -> Mask:
    """The `count` highest along the last axis, of each row by itself."""
    _check(scores)
    order = np.argsort(-scores, axis=-1, kind="stable")[..., :count]
    mask = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(mask, order, True, axis=-1)
    return mask


def _check(scores: Scores) -> None:
    if np.isnan(scores).any():
        raise ValueError("some scores are not a number")
