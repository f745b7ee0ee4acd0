"""How many directions of a matrix are more than noise: the rank by variational Bayesian matrix factorisation.

A matrix `[l, m]`, l <= m, is taken as a low-rank one plus white noise, with priors whose scales are learned from it
too. The global optimum is known in closed form: a singular value either stays or is noise, by a threshold that follows
from the noise; the noise's variance is the minimum of a function of one variable.

Reference: Nakajima, Sugiyama, Babacan and Tomioka, "Global analytic solution of fully-observed variational Bayesian
matrix factorization", Journal of Machine Learning Research 14, 2013 (empirical priors, noise unknown).
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from methods.numerics.lowrank import Doubles

GRID = 256
"""Variances tried, evenly in their logarithm, before the best is refined: the function may have several minima."""


def vbmf_rank(singular: Doubles, shape: tuple[int, int]) -> int:
    """The number of singular values (falling, all of them) of a matrix of `shape` that stand out of the noise."""
    short, long = sorted(shape)
    squares = np.square(singular[:short])
    total = float(squares.sum())
    if total == 0.0:
        return 0
    edge = threshold(short / long)
    variance = noise_variance(squares / total, short, long) * total
    return int((squares > long * variance * edge).sum())


def threshold(ratio: float) -> float:
    """The least `gamma^2 / (m variance)` that stays, for a matrix with `ratio` = l / m in (0, 1]."""
    scale = np.sqrt(ratio)

    def balance(t: float) -> float:
        return _phi(t) + _phi(t / ratio)

    t = float(brentq(balance, 1e-6 * scale, 100.0))
    return (1 + t) * (1 + ratio / t)


def noise_variance(squares: Doubles, short: int, long: int) -> float:
    """The variance of the noise, for squared singular values (falling) of a matrix `[short, long]`."""
    edge = threshold(short / long)
    most = min(short - 1, max(0, int(np.ceil(short / (1 + short / long))) - 1))
    rest = squares[most:]
    high = float(squares.sum()) / (short * long)
    low = max(float(rest[0]) / (long * edge), float(rest.mean()) / long)
    if low >= high or high <= 0:
        return high
    low = max(low, 1e-12 * high)
    grid = np.geomspace(low, high, GRID)
    place = int(np.argmin([_objective(v, squares, short, long, edge) for v in grid]))
    around = grid[max(0, place - 1)], grid[min(GRID - 1, place + 1)]
    found = minimize_scalar(_objective, args=(squares, short, long, edge), bounds=around, method="bounded")
    return float(found.x)


def _objective(variance: float, squares: Doubles, short: int, long: int, edge: float) -> float:
    """What the variance minimises: the free energy, but for constants, over `short`."""
    x = np.maximum(squares / (long * variance), 1e-300)
    kept = x[x > edge]
    ratio = short / long
    t = 0.5 * (kept - (1 + ratio) + np.sqrt(np.square(kept - (1 + ratio)) - 4 * ratio))
    gain = np.log1p(t) + ratio * np.log1p(t / ratio) - t
    return float((x - np.log(x)).sum() + gain.sum())


def _phi(z: float) -> float:
    return float(np.log1p(z)) / z - 0.5
