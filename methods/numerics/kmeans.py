"""One-dimensional k-means: the few values that stand best, in the mean square, for all weights of a tensor.

On sorted numbers a cluster is an interval, and running sums give its mean and error at once, so that a round of
Lloyd's algorithm (1982) takes k binary searches, whatever the number of weights. Starts cost next to nothing that
way, so several are tried and the best is kept: evenly spaced values, which spare the rare large weights that matter
most (Han et al. 2016, arXiv 1510.00149, section 3.2), quantiles, and the cube root of the density, which is the best
for very many centres (Panter and Dite, 1951), and the exact answer for a few hundred merged points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from methods.numerics.nearest import nearest
from methods.numerics.partition import best_means

ROUNDS = 200
DENSITY_BINS = 4096
SORT_UP_TO = 1 << 20
"""Larger arrays are sorted into bins instead: sixteen million weights in 0.3 s instead of a second."""
BINS = 1 << 18

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Clusters:
    """`centres` `[k]` in rising order, and the `indices` into them, of the shape of the values."""

    centres: Floats
    indices: NDArray[np.uint8]


@dataclass(frozen=True)
class _Points:
    """Values in rising order (or means of narrow bins), with running counts and sums that start from 0."""

    values: Doubles
    counts: NDArray[np.int64]
    sums: Doubles

    @classmethod
    def of(cls, values: Floats) -> _Points:
        flat = values.reshape(-1)
        if flat.size > SORT_UP_TO:
            points = cls._binned(flat)
            if len(points.values) >= BINS // 16:
                return points
        ordered: Doubles = np.sort(flat).astype(np.float64)
        return cls(ordered, np.arange(flat.size + 1), _running(ordered))

    @classmethod
    def _binned(cls, flat: Floats) -> _Points:
        low, span = flat.min(), float(flat.max()) - float(flat.min())
        bins = ((flat - low) * np.float32(min((BINS - 1) / span, 1e30) if span else 0.0)).astype(np.int32)
        counts = np.bincount(bins)
        full = np.flatnonzero(counts)
        sums: Doubles = np.bincount(bins, weights=flat)[full].astype(np.float64)
        counts = counts[full]
        return cls(sums / counts, np.concatenate([[0], np.cumsum(counts)]), _running(sums))


def cluster(values: Floats, count: int) -> Clusters:
    """At most `count` (1 to 256) centres for an array of any shape; fewer where it has fewer different values.

    Deterministic. Raises ValueError for an empty array or one with values that are not finite.
    """
    if not 1 <= count <= 256:
        raise ValueError(f"1 to 256 centres can be asked for, not {count}")
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"cannot cluster an array of shape {values.shape} that is empty or not finite")
    points = _Points.of(values)
    centres = _distinct(points.values, count)
    if centres is None:
        found = [_lloyd(points, start) for start in _starts(points, count)]
        centres, _ = max(found, key=lambda pair: pair[1])
    exact = np.unique(centres.astype(np.float32))
    return Clusters(exact, nearest(values, exact))


def _distinct(ordered: Doubles, count: int) -> Doubles | None:
    """The different values, where there are at most `count` of them."""
    steps = np.flatnonzero(ordered[1:] != ordered[:-1])
    if len(steps) >= count:
        return None
    first: Doubles = ordered[np.concatenate([[0], steps + 1])]
    return first


def _starts(points: _Points, count: int) -> list[Doubles]:
    """Places to start Lloyd's algorithm from, each `[count]`."""
    share = (np.arange(count) + 0.5) / count
    low, high = float(points.values[0]), float(points.values[-1])
    edges = np.linspace(low, high, DENSITY_BINS + 1)
    density = np.diff(points.counts[np.searchsorted(points.values, edges, side="right")])
    running = np.cumsum(np.cbrt(np.maximum(density, 0)))
    ranks = np.searchsorted(points.counts[1:], share * points.counts[-1], side="right")
    return [
        low + share * (high - low),
        points.values[ranks],
        np.interp(share, running / running[-1], edges[1:]),
        best_means(points.values, points.counts, points.sums, count),
    ]


def _lloyd(points: _Points, centres: Doubles) -> tuple[Doubles, float]:
    """The centres when no border moves any more, and the summed squares that they explain (more is better)."""
    edges = np.zeros(0, dtype=np.int64)
    for _ in range(ROUNDS):
        inner = np.searchsorted(points.values, (centres[1:] + centres[:-1]) / 2, side="right")
        moved = np.concatenate([[0], inner, [len(points.values)]])
        if np.array_equal(moved, edges):
            break
        edges = moved
        sizes, sums = np.diff(points.counts[edges]), np.diff(points.sums[edges])
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres)
    middle = points.sums[-1] / points.counts[-1]
    explained = np.square(sums - sizes * middle) / np.maximum(sizes, 1)
    return centres, float(explained.sum())


def _running(values: Doubles) -> Doubles:
    return np.concatenate([[0.0], np.cumsum(values)])
