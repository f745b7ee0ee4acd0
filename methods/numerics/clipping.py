"""Where to clip: the ranges that lose least, by mean squared error or by relative entropy.

Reference: Nagel et al., 2021, arXiv 2106.08295, section 3.1 (grid search for the least error); Migacz, "8-bit
inference with TensorRT", GTC 2017 (least relative entropy between counts before and after).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.numerics.affine import (
    Affine,
    Floats,
    asymmetric_between,
    dequantise,
    quantise,
    squared_errors,
    symmetric_between,
)
from methods.numerics.formats import Points
from methods.numerics.histogram import HALF, Histogram

COARSE = tuple(k / 10 for k in range(10, 0, -1))
FINE = tuple(k / 50 for k in range(4, -5, -1) if k)
"""Shares of the whole range that are tried, and then steps beside the best of them."""

STRIDE = 16
"""Bins between two thresholds that are tried."""


def least_error(
    rows: Floats, counts: NDArray[np.int64] | None, code_range: tuple[int, int], symmetric: bool
) -> tuple[Points, Points]:
    """The range of each row `[rows, n]` with the least squared error, both ends drawn in by one share.

    `counts` `[rows, n]` says how often each number occurs. Never worse than the whole range.
    """
    least, most = rows.min(axis=1).astype(np.float64), rows.max(axis=1).astype(np.float64)
    best, error = np.ones(len(rows)), np.full(len(rows), np.inf)
    for share in COARSE:
        _keep(best, error, np.full(len(rows), share), rows, counts, (least, most), code_range, symmetric)
    middle = best.copy()
    for step in FINE:
        _keep(best, error, np.clip(middle + step, 0.01, 1.0), rows, counts, (least, most), code_range, symmetric)
    return least * best, most * best


def affine_of(least: Points, most: Points, code_range: tuple[int, int], symmetric: bool) -> Affine:
    """Codes for rows of numbers between these bounds."""
    if symmetric:
        return symmetric_between(np.maximum(np.abs(least), np.abs(most)).astype(np.float32), code_range)
    return asymmetric_between(least.astype(np.float32), most.astype(np.float32), code_range)


def _keep(best: Points, error: Points, shares: Points, rows: Floats, counts: Any, ends: Any, *how: Any) -> None:
    """Where these shares of the range do better than what was tried so far, they are kept."""
    codes = affine_of(ends[0] * shares, ends[1] * shares, *how)
    if counts is None:
        total = squared_errors(rows, codes)
    else:
        total = ((dequantise(quantise(rows, codes), codes) - rows) ** 2 * counts).sum(axis=1, dtype=np.float64)
    better = total < error
    best[better], error[better] = shares[better], total[better]


def least_divergence(histogram: Histogram, codes: int) -> float:
    """The threshold for sizes of numbers at which so many codes say most about how often each size occurs.

    What lies outside counts at the threshold. The whole range where there are as many codes as bins.
    """
    counts = (histogram.counts[HALF:] + histogram.counts[HALF - 1 :: -1]).astype(np.float64)
    whole = max(abs(histogram.least), abs(histogram.most))
    counts[0] = counts[1]  # exact zeros have a code whatever the range is
    used = int(np.flatnonzero(counts)[-1]) + 1 if counts.any() else 1
    tries = [*range(codes, used, STRIDE), used] if codes < used else [used]
    losses = [_divergence(counts, kept, codes) for kept in tries]
    kept = tries[int(np.argmin(losses))]
    return histogram.limit * kept / HALF if kept < used else whole


def _divergence(counts: Points, kept: int, codes: int) -> float:
    """Relative entropy of the first `kept` bins, outliers in the last, against themselves in `codes` steps."""
    if not counts[:kept].any():
        return float("inf")
    exact = counts[:kept].copy()
    exact[-1] += counts[kept:].sum()
    group = np.arange(kept) * codes // kept
    filled = counts[:kept] > 0
    sums = np.bincount(group, counts[:kept], codes)
    sizes = np.maximum(np.bincount(group, filled, codes), 1)
    coarse = np.where(filled, (sums / sizes)[group], 0.0)
    p, q = exact / exact.sum(), coarse / coarse.sum()
    q = np.maximum(q, 1e-9)  # a bin that only outliers fall into: costs much, not infinitely much
    return float((p[p > 0] * np.log(p[p > 0] / q[p > 0])).sum())
