"""Lloyd's algorithm on sorted numbers, where a cluster is an interval.

Running sums give mean and error of an interval at once, so that a round (Lloyd, "Least squares quantization in PCM",
1982) takes k binary searches, whatever the number of points.
"""

from __future__ import annotations

import numpy as np

from methods.numerics.points import Doubles, Points

ROUNDS = 200


def settled(points: Points, centres: Doubles) -> tuple[Doubles, float]:
    """The centres when no border moves any more, and the summed squares that they explain (more is better)."""
    edges = np.zeros(0, dtype=np.int64)
    for _ in range(ROUNDS):
        inner = np.searchsorted(points.values, (centres[1:] + centres[:-1]) / 2, side="right")
        moved = np.concatenate([[0], inner, [len(points.values)]])
        if np.array_equal(moved, edges):
            break
        edges = moved
        sizes, sums = np.diff(points.weights[edges]), np.diff(points.sums[edges])
        centres = np.where(sizes > 0, sums / np.where(sizes > 0, sizes, 1), centres)
    middle = points.sums[-1] / points.weights[-1]
    explained = np.square(sums - sizes * middle) / np.where(sizes > 0, sizes, 1)
    return centres, float(explained.sum())
