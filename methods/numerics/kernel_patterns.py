"""Sparsity inside kernels `[k, ...]`: the same few places in all of them, or one of a small set of patterns in each.

Scores and masks are as in `patterns`. Regular kernels keep what a product with unfolded inputs needs small: a strided
kernel drops whole columns of it, and patterns leave the same count of weights in every kernel.

References: strided: Anwar, Hwang and Sung, "Structured pruning of deep convolutional neural networks", 2017,
arXiv 1512.08571, section 3.3; patterns with connectivity pruning: Niu et al., "PatDNN: achieving real-time DNN
execution on mobile devices with pattern-based weight pruning", 2020, arXiv 2001.00138, sections 3 and 4.
"""

from __future__ import annotations

from math import prod

import numpy as np

from methods.numerics.patterns import Mask, Scores, Shape, best, best_along, worth


def strided(scores: Scores, stride: int, offset: int | None = None) -> Mask:
    """Keeps the places of every kernel whose coordinates are `offset`, `offset + stride`, ... along each axis.

    One offset serves the whole layer; None takes, of those that keep the most places, the one worth most.
    """
    kernel = scores.shape[2:]
    offsets = _full_offsets(kernel, stride) if offset is None else [offset]
    value = np.maximum(scores, 0.0).sum(axis=(0, 1))
    grids = [_grid(kernel, stride, each) for each in offsets]
    chosen = max(grids, key=lambda grid: float(value[grid].sum()))
    return np.broadcast_to(chosen, scores.shape).copy()


def strided_left(kernel: Shape, stride: int, offset: int | None = None) -> int:
    """How many places of a kernel `strided` keeps. Raises ValueError where the stride does not fit the kernel."""
    return int(_grid(kernel, stride, offset or 0).sum())


def frequent_patterns(scores: Scores, entries: int, count: int) -> Mask:
    """Up to `count` patterns `[patterns, k, ...]` of `entries` places: those that are most often the best places of
    a kernel. Kernels with too few weights left have no say; of equals the one whose first place comes earlier."""
    kernel = scores.shape[2:]
    _check_entries(kernel, entries)
    flat = scores.reshape(-1, prod(kernel))
    full = flat[(flat > 0).sum(axis=1) >= entries]
    voters = full if len(full) else flat
    found, votes = np.unique(~best_along(voters, entries), axis=0, return_counts=True)
    order = np.argsort(-votes, kind="stable")[:count]
    return np.logical_not(found[order]).reshape(-1, *kernel)


def fit_patterns(scores: Scores, patterns: Mask) -> Mask:
    """Every kernel keeps the one of the `patterns` `[patterns, k, ...]` that is worth most; of equals the first."""
    area = prod(scores.shape[2:])
    flat, masks = np.maximum(scores, 0.0).reshape(-1, area), patterns.reshape(-1, area)
    which = (flat @ masks.T.astype(np.float64)).argmax(axis=1)
    chosen: Mask = masks[which]
    return chosen.reshape(scores.shape)


def pattern_kernels(scores: Scores, entries: int, count: int) -> Mask:
    """Every kernel keeps `entries` weights, in one of at most `count` patterns that are found in the scores."""
    return fit_patterns(scores, frequent_patterns(scores, entries, count))


def connected(scores: Scores, mask: Mask, count: int) -> Mask:
    """Of a mask, only the `count` kernels worth most under it: connectivity pruning on top of a pattern."""
    area = prod(scores.shape[2:])
    kept = worth(np.where(mask, scores, -1.0).reshape(-1, area))
    kernels = best(kept, count)
    return mask & kernels.reshape(*scores.shape[:2], *(1 for _ in scores.shape[2:]))


def _full_offsets(kernel: Shape, stride: int) -> list[int]:
    most = strided_left(kernel, stride)
    return [n for n in range(min(stride, *kernel)) if strided_left(kernel, stride, n) == most]


def _grid(kernel: Shape, stride: int, offset: int) -> Mask:
    """The kept places of one kernel."""
    if not kernel or not 1 <= stride <= max(kernel) or not 0 <= offset < min(stride, *kernel):
        shape = " x ".join(map(str, kernel)) or "1"
        raise ValueError(f"a kernel of {shape} has no places at offset {offset} and stride {stride}")
    grid = np.zeros(kernel, np.bool_)
    grid[tuple(slice(offset, None, stride) for _ in kernel)] = True
    return grid


def _check_entries(kernel: Shape, entries: int) -> None:
    if not 1 <= entries <= prod(kernel):
        raise ValueError(f"a kernel of {' x '.join(map(str, kernel)) or 1} can't keep {entries} weights")
