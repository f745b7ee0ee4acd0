"""The best way to cut a row of sorted points into k intervals, by dynamic programming: exact 1-D k-means.

Reference: Wang and Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic programming", 2011.
The time grows with the square of the number of points, so longer rows are first merged into runs: half of their cuts
at equal numbers of points, half at equal distances, so that the rare far ones keep runs of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 512
"""Points that are cut exactly: 256 intervals of 512 points take about 0.1 s."""

Doubles = NDArray[np.float64]


def best_means(values: Doubles, counts: NDArray[np.int64], sums: Doubles, k: int) -> Doubles:
    """The means, `[k]`, of the best intervals of rising `values` `[n]` with their running counts and sums `[n + 1]`.

    Optimal in the summed squared error for at most 512 points; for more, the best of cuts between merged runs.
    """
    edges = np.arange(len(counts))
    if len(values) > EXACT_UP_TO:
        even = np.searchsorted(values, np.linspace(values[0], values[-1], EXACT_UP_TO // 2)[1:-1])
        equal = np.searchsorted(counts, np.linspace(0, counts[-1], EXACT_UP_TO // 2))
        edges = np.unique(np.concatenate([[0], even, equal, [len(values)]]))
    count, total = counts[edges].astype(np.float64), sums[edges] - counts[edges] * (sums[-1] / counts[-1])
    cuts = edges[_cuts(_explained(count, total), min(k, len(edges) - 1))]
    return np.diff(sums[cuts]) / np.diff(counts[cuts])


def _explained(count: Doubles, total: Doubles) -> Doubles:
    """`[from, to]`: the squares that one mean explains for the points between; -inf where there are none."""
    size, part = count[None, :] - count[:, None], total[None, :] - total[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(size > 0, np.square(part) / size, -np.inf)


def _cuts(gain: Doubles, k: int) -> NDArray[np.int64]:
    """The `k + 1` edges of the intervals with the largest summed gain."""
    best = gain[0].copy()
    came_from = np.zeros((k, len(gain)), dtype=np.int64)
    for layer in range(1, k):
        reached = best[:, None] + gain
        came_from[layer] = reached.argmax(axis=0)
        best = reached[came_from[layer], np.arange(len(gain))]
    cuts = [len(gain) - 1]
    for layer in range(k - 1, -1, -1):
        cuts.append(int(came_from[layer, cuts[-1]]))
    return np.array(cuts[::-1])
