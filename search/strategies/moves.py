"""Moves: small random changes of a point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.problem import Point

_STEP = 0.7
"""Share of moves that go to a neighbouring value; the others go to any."""


def mutated(point: Point, sizes: Sequence[int], rng: np.random.Generator, most: int = 2) -> Point:
    """The point with one to `most` of its variables at another value, mostly a neighbouring one (values are in order
    of strength). Unchanged only where no variable has two values."""
    movable = [i for i, size in enumerate(sizes) if size > 1]
    count = min(int(rng.integers(1, most + 1)), len(movable))
    moved = list(point)
    for i in rng.permutation(movable)[:count].tolist():
        moved[i] = _moved(point[i], sizes[i], rng)
    return tuple(moved)


def strengthened(point: Point, sizes: Sequence[int], rng: np.random.Generator, share: float) -> Point:
    """The point with about `share` of its variables one value stronger: towards limits that it breaks."""
    chosen = rng.random(len(point)) < share
    return tuple(min(k + 1, size - 1) if up else k for k, size, up in zip(point, sizes, chosen.tolist(), strict=True))


def _moved(index: int, size: int, rng: np.random.Generator) -> int:
    if rng.random() < _STEP:
        near = [k for k in (index - 1, index + 1) if 0 <= k < size]
        return near[int(rng.integers(len(near)))]
    return int((index + rng.integers(1, size)) % size)
