"""One-dimensional k-means: the few values that stand best, in the mean square, for all weights of a tensor.

The optimum is found by dynamic programming where there are not too many values; of more, neighbours are first merged
into runs, twice, the second time where clusters came out, and Lloyd's algorithm smooths what that leaves. Solvers
differ in how many are too many: thousands ("fast"), or as many as take seconds ("exact"); "sampled" is the fast one
on a weighted sample of about one per cent. Squared errors may count differently from weight to weight, by the
curvature of the loss for instance (Choi et al. 2017, arXiv 1612.01543).

Reference: Gong et al., "Compressing deep convolutional networks using vector quantization", 2014, arXiv 1412.6115;
Han et al. 2016, arXiv 1510.00149, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from methods.numerics.lloyd import settled
from methods.numerics.nearest import nearest
from methods.numerics.partition import best_means
from methods.numerics.points import Doubles, Floats, Points
from methods.numerics.runs import around, every_value, spread
from methods.numerics.sample import stratified

SOLVERS = ("fast", "sampled", "exact")
MOST_CENTRES = 256
FAST_POINTS = 1 << 12
"""Different values that "fast" takes as they are: 256 centres of so many take 0.2 s."""
EXACT_WORK = 1 << 22
"""The same times centres, for "exact": a second."""
SAMPLES_PER_CENTRE = 32


@dataclass(frozen=True)
class Clusters:
    """`centres` `[k]` in rising order, and the `indices` into them, of the shape of the values."""

    centres: Floats
    indices: NDArray[np.uint8]


def cluster(
    values: Floats, count: int, weights: Floats | None = None, solver: str = "fast", share: float = 0.01, seed: int = 0
) -> Clusters:
    """At most `count` (1 to 256) centres for an array of any shape; fewer where it has fewer different values.

    Deterministic. Raises ValueError for an empty array, one with values that are not finite, or bad settings.

    Args:
        weights: how much the squared error of each value counts, of the same shape, from 0; by default all count 1.
        solver: "fast" (about 0.1 % above the optimum, and the optimum up to FAST_POINTS different values), "sampled"
            (the same on a sample, then one round on all values), or "exact" (the optimum, as long as different values
            times centres are no more than EXACT_WORK).
        share: of the values in the sample, of which there are at least 32 for each centre. seed: which are drawn.
    """
    _check(values, count, weights, solver, share)
    flat, each = values.reshape(-1), None if weights is None else weights.reshape(-1)
    sampled = max(round(share * flat.size), SAMPLES_PER_CENTRE * count) if solver == "sampled" else flat.size
    drawn = stratified(flat, each, sampled, seed) if sampled < flat.size else None
    if drawn is not None and len(np.unique(drawn[0])) > count:
        centres = _means(flat, each, np.unique(_fit(*drawn, count).astype(np.float32)))
    else:
        centres = _fit(flat, each, count, exact=solver == "exact")
    kept = np.unique(centres.astype(np.float32))
    return Clusters(kept, nearest(values, kept))


def _check(values: Floats, count: int, weights: Floats | None, solver: str, share: float) -> None:
    if not 1 <= count <= MOST_CENTRES:
        raise ValueError(f"1 to {MOST_CENTRES} centres can be asked for, not {count}")
    if solver not in SOLVERS or not 0 < share <= 1:
        raise ValueError(f"a solver is one of {', '.join(SOLVERS)} and a share lies in (0, 1], not {solver!r}, {share}")
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"cannot cluster an array of shape {values.shape} that is empty or not finite")
    if weights is not None:
        sound = weights.shape == values.shape and np.isfinite(weights).all() and (weights >= 0).all() and weights.any()
        if not sound:
            raise ValueError(f"what errors count must have the values' shape {values.shape}, be finite, 0 or more")


def _fit(flat: Floats, weights: Floats | None, count: int, exact: bool = False) -> Doubles:
    """The centres of a flat array."""
    points = Points.of(flat, weights, exact)
    edges, most = every_value(points), max(FAST_POINTS, EXACT_WORK // count if exact else 0)
    if len(edges) <= count + 1:
        return points.values[edges[:-1]]
    if len(edges) <= most + 1:
        return best_means(points, edges, count)
    first = settled(points, best_means(points, spread(points, most // 2), count))
    finer = settled(points, best_means(points, around(points, first[0], most // 2), count))
    return max(first, finer, key=lambda found: found[1])[0]


def _means(flat: Floats, weights: Floats | None, centres: Floats) -> Doubles:
    """The mean of the members of each centre, over all values; a centre without members stays."""
    indices = nearest(flat, centres)
    sizes = np.bincount(indices, weights, len(centres))
    sums = np.bincount(indices, flat if weights is None else flat * weights, len(centres))
    return np.where(sizes > 0, sums / np.where(sizes > 0, sizes, 1), centres)
