"""Runs of neighbouring points: where a long row of sorted points may be cut, so that the best cuts are found soon."""

from __future__ import annotations

import numpy as np

from methods.numerics.points import Doubles, Places, Points


def every_value(points: Points) -> Places:
    """An edge beside every different value, from 0 to the number of points."""
    steps = 1 + np.flatnonzero(points.values[1:] != points.values[:-1])
    return np.concatenate([[0], steps, [len(points.values)]])


def spread(points: Points, count: int) -> Places:
    """Edges of about `count` runs: half of them of equal weight, half of equal width, which spares rare far values."""
    wide = np.linspace(points.values[0], points.values[-1], count // 2)[1:-1]
    heavy = np.searchsorted(points.weights, np.linspace(0, points.weights[-1], count // 2))
    return _edges(points, np.concatenate([np.searchsorted(points.values, wide), heavy]))


def around(points: Points, centres: Doubles, count: int) -> Places:
    """Edges of about `count` runs: equally wide within each cluster, narrow where clusters are."""
    borders = (centres[1:] + centres[:-1]) / 2
    borders = np.concatenate([points.values[:1], borders, points.values[-1:]])
    wide = np.linspace(borders[:-1], borders[1:], max(2, count // len(centres)), endpoint=False)
    return _edges(points, np.searchsorted(points.values, wide.reshape(-1)))


def _edges(points: Points, inner: Places) -> Places:
    return np.unique(np.concatenate([[0], inner, [len(points.values)]]))
