"""Dominance, the front, and hypervolume; over plain arrays (everything is minimised) and over trials."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from search.problem import Trial, TrialState


def dominates(one: ArrayLike, other: ArrayLike) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better; both `[objectives]`, minimised."""
    a, b = np.asarray(one), np.asarray(other)
    return bool((a <= b).all() and (a < b).any())


def non_dominated(points: ArrayLike) -> NDArray[np.intp]:
    """Indices, rising, of the rows of `points` `[n, objectives]` that no row dominates; equal rows all stay.

    Two objectives take O(n log n); more take O(n * size of the front).
    """
    rows = np.asarray(points, dtype=np.float64)
    if len(rows) == 0:
        return np.empty(0, dtype=np.intp)
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    keep = _sweep(unique) if rows.shape[1] == 2 else _scan(unique)
    return np.flatnonzero(keep[inverse.ravel()])


def hypervolume(points: ArrayLike, reference: Sequence[float]) -> float:
    """Area that `points` `[n, 2]` dominate below `reference`; points not below it in both objectives add nothing.

    Reference: E. Zitzler, L. Thiele, "Multiobjective evolutionary algorithms", 1999.
    """
    rows = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    rows = rows[(rows < np.asarray(reference)).all(axis=1)]
    rows = np.unique(rows[non_dominated(rows)], axis=0)
    right = np.append(rows[1:, 0], reference[0])
    return float(((right - rows[:, 0]) * (reference[1] - rows[:, 1])).sum())


def front(trials: Iterable[Trial], figures: Sequence[str]) -> list[Trial]:
    """The DONE trials, by number, than which no other has a higher score and lower `figures` (upper ends of the
    error bars). A trial without a score or one of the figures can't be compared and is left out."""
    done = [
        t for t in trials if t.state == TrialState.DONE and isfinite(t.score) and all(f in t.costs for f in figures)
    ]
    done.sort(key=lambda trial: trial.number)
    rows = np.array([[-t.score, *(t.cost(f) for f in figures)] for t in done])
    return [done[i] for i in non_dominated(rows)]


def _sweep(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows `[n, 2]`, sorted and distinct: each must be lower than everything to its left."""
    lowest = np.minimum.accumulate(rows[:, 1])
    return np.append(True, rows[1:, 1] < lowest[:-1])


def _scan(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Rows sorted and distinct: only an earlier one can dominate, and one on the front will, if any does."""
    keep = np.zeros(len(rows), dtype=bool)
    for i, row in enumerate(rows):
        keep[i] = not (rows[keep] <= row).all(axis=1).any()
    return keep
