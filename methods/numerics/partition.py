"""The best way to cut a row of sorted points into k intervals, by dynamic programming: exact 1-D k-means.

The best last cut moves only to the right when points or intervals are added, so that each layer of the table is filled
by halving: the cut of the middle end bounds those of the ends beside it. That takes k n log n steps in numpy, instead
of k n^2.

Reference: Wang and Song, "Ckmeans.1d.dp: optimal k-means clustering in one dimension by dynamic programming", 2011;
Gronlund et al., "Fast exact k-means, k-medians and Bregman divergence clustering in 1D", 2017, arXiv 1701.07204.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from methods.numerics.points import Doubles, Places, Points


def best_means(points: Points, edges: Places, k: int) -> Doubles:
    """The means, at most `k` of them and rising, of the best intervals that are cut at some of `edges`.

    Optimal in the summed (weighted) squared error among all such cuts: with an edge beside every different value,
    among all there are. `edges` rise from 0 to the number of points.
    """
    total = points.sums[edges] - points.weights[edges] * (points.sums[-1] / points.weights[-1])
    cuts = edges[best_cuts(points.weights[edges], total, min(k, len(edges) - 1))]
    means: Doubles = np.diff(points.sums[cuts]) / np.diff(points.weights[cuts])
    return means


def best_cuts(weight: Doubles, total: Doubles, k: int) -> Places:
    """The `k + 1` edges, from 0 to n, of the k intervals whose means explain most of the squares of n points.

    `weight` (rising) and `total` are running sums `[n + 1]` from 0, of weights and of weighted values; 1 <= k <= n.
    """
    last = len(weight) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.where(weight > 0, np.square(total) / weight, -np.inf)
    came_from = np.zeros((k, last + 1), dtype=np.int32)
    for layer in range(1, k):
        best = _next_layer(weight, total, best, came_from[layer - 1], came_from[layer], layer)
    cuts = [last]
    for layer in range(k - 1, -1, -1):
        cuts.append(int(came_from[layer, cuts[-1]]))
    return np.array(cuts[::-1])


def _next_layer(
    weight: Doubles, total: Doubles, best: Doubles, before: NDArray[np.int32], cuts: NDArray[np.int32], layer: int
) -> Doubles:
    """What one interval more explains, for every end; writes the last cut of each to `cuts`.

    Ends are visited by halving steps, and each is searched between the cuts of its two neighbours.
    """
    last = len(weight) - 1
    result = np.full(last + 1, -np.inf)
    step = 1 << last.bit_length()
    while step:
        ends = np.arange(step, last + 1, 2 * step)
        ends = ends[ends > layer]
        if len(ends):
            left, right = cuts[ends - step], ends + step
            low = np.maximum(np.maximum(left, before[ends]), layer)
            high = np.where(right <= last, cuts[np.minimum(right, last)], ends - 1)
            result[ends], cuts[ends] = _search(weight, total, best, ends, low, np.minimum(high, ends - 1))
        step //= 2
    return result


def _search(
    weight: Doubles, total: Doubles, best: Doubles, ends: Places, low: Places, high: Places
) -> tuple[Doubles, Places]:
    """For each end, the most that a cut from `low` to `high` (both included) explains, and the first such cut."""
    lengths = np.maximum(high - low, 0) + 1
    first = np.cumsum(lengths) - lengths
    starts = np.arange(lengths.sum()) + np.repeat(low - first, lengths)
    part = np.repeat(total[ends], lengths) - total[starts]
    np.square(part, out=part)
    part /= np.repeat(weight[ends], lengths) - weight[starts]
    part += best[starts]
    most = np.maximum.reduceat(part, first)
    hits = np.flatnonzero(part == np.repeat(most, lengths))
    return most, starts[hits[np.searchsorted(hits, first)]]
