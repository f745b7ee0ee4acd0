"""Weighted numbers in rising order with their running sums: what every one-dimensional clustering works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SORT_UP_TO = 1 << 20
"""Larger arrays are sorted into bins instead: sixteen million weights in 0.3 s instead of a second."""
BINS = 1 << 18
MOST_SPAN = 1e38
"""Differences of values that float32 can still hold; wider arrays are sorted."""
CHUNK = 1 << 20
"""Values that are binned at a time, to bound the memory."""

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """`values` `[n]` in rising order (or means of narrow bins), with running `weights` and `sums` `[n + 1]` from 0.

    The weight of a point is how much its squared error counts; the sums are of weight times value.
    """

    values: Doubles
    weights: Doubles
    sums: Doubles

    @classmethod
    def of(cls, values: Floats, weights: Floats | None = None, exact: bool = False) -> Points:
        """The points of an array of any shape, each of weight 1 or as given; those of weight 0 are left out.

        Args:
            exact: never merges values into bins.
        """
        flat, each = values.reshape(-1), None if weights is None else weights.reshape(-1)
        if each is not None and not each.all():
            flat, each = flat[each > 0], each[each > 0]
        if flat.size > SORT_UP_TO and not exact and float(flat.max()) - float(flat.min()) < MOST_SPAN:
            points = cls._binned(flat, each)
            if len(points.values) >= BINS // 16:
                return points
        return cls._sorted(flat, each)

    @classmethod
    def _sorted(cls, flat: Floats, each: Floats | None) -> Points:
        if each is None:
            ordered: Doubles = np.sort(flat).astype(np.float64)
            return cls(ordered, np.arange(flat.size + 1, dtype=np.float64), _running(ordered))
        order = np.argsort(flat, kind="stable")
        ordered, weight = flat[order].astype(np.float64), each[order].astype(np.float64)
        return cls(ordered, _running(weight), _running(ordered * weight))

    @classmethod
    def _binned(cls, flat: Floats, each: Floats | None) -> Points:
        low, span = flat.min(), float(flat.max()) - float(flat.min())
        per_unit = np.float32(min((BINS - 1) / span, 1e30) if span else 0.0)
        weights, sums = np.zeros(BINS), np.zeros(BINS)
        for at in range(0, flat.size, CHUNK):
            part = flat[at : at + CHUNK]
            bins = ((part - low) * per_unit).astype(np.int32)
            weight = None if each is None else each[at : at + CHUNK].astype(np.float64)
            weights += np.bincount(bins, weight, BINS)
            sums += np.bincount(bins, part if weight is None else part * weight, BINS)
        full = np.flatnonzero(weights)
        return cls(sums[full] / weights[full], _running(weights[full]), _running(sums[full]))


def _running(values: Doubles) -> Doubles:
    return np.concatenate([[0.0], np.cumsum(values)])
