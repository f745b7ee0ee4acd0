"""LASSO with a given Gram matrix: the whole path of solutions, from none to all variables.

Reference: Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", Annals of Statistics 32(2), 2004,
arXiv math/0406456, section 3.1 (the variant in which a variable leaves when its factor reaches zero).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STILL = 1e-12


def lasso_entries(gram: Array, target: Array) -> Array:
    """For each variable, the largest penalty at which it is part of the solution; 0 for those that never are.

    The solution at penalty t minimises b'Gb/2 - b'y + t |b|_1. Keeping the k variables with the largest entries is
    what raising the penalty until k are left keeps, where none leaves in between.

    Args:
        gram: `[n, n]`, symmetric and positive semidefinite. target: `[n]`, the products of variables and target.
    """
    n = len(target)
    path = _Path(gram, target)
    for _ in range(8 * n):
        if path.penalty <= path.least or not path.step():
            break
    return path.entries


class _Path:
    """The active variables, with the inverse of their Gram matrix, and how the solution moves as the penalty falls."""

    def __init__(self, gram: Array, target: Array) -> None:
        self.gram = gram + np.eye(len(target)) * 1e-9 * max(float(np.trace(gram)) / len(target), STILL)
        self.rest = target.astype(np.float64).copy()
        self.factors, self.entries = np.zeros(len(target)), np.zeros(len(target))
        self.active: list[int] = []
        self.inverse: Array = np.zeros((0, 0))
        self.penalty = float(np.abs(self.rest).max(initial=0.0))
        self.least = 1e-10 * self.penalty
        if self.penalty > 0:
            self._enter(int(np.abs(self.rest).argmax()))

    def step(self) -> bool:
        """Lowers the penalty to where a variable enters or leaves; False when that is at zero."""
        signs = np.sign(self.rest[self.active])
        direction = self.inverse @ signs
        slope = self.gram[:, self.active] @ direction
        enter, newcomer = self._first_to_enter(slope)
        leave, gone = self._first_to_leave(direction)
        length = min(enter, leave, self.penalty)
        self.factors[self.active] += length * direction
        self.rest -= length * slope
        self.penalty -= length
        if length == leave:
            self._leave(gone)
        elif length == enter:
            self._enter(newcomer)
        return bool(self.active) and length in (enter, leave)

    def _first_to_enter(self, slope: Array) -> tuple[float, int]:
        out = np.ones(len(slope), dtype=bool)
        out[self.active] = False
        best, who = np.inf, -1
        for sign in (1.0, -1.0):
            room, closing = np.maximum(self.penalty - sign * self.rest, 0.0), 1.0 - sign * slope
            lengths = np.where(out & (closing > STILL), room / np.maximum(closing, STILL), np.inf)
            if lengths.min() < best:
                best, who = float(lengths.min()), int(lengths.argmin())
        return best, who

    def _first_to_leave(self, direction: Array) -> tuple[float, int]:
        factors = self.factors[self.active]
        towards = (factors * direction < 0) & (np.abs(factors) > 0)
        lengths = np.where(towards, -factors / np.where(towards, direction, 1.0), np.inf)
        return float(lengths.min(initial=np.inf)), int(lengths.argmin()) if len(lengths) else -1

    def _enter(self, variable: int) -> None:
        """Borders the inverse by one row."""
        column = self.gram[self.active, variable]
        half = self.inverse @ column
        spare = max(float(self.gram[variable, variable] - column @ half), STILL * self.gram[variable, variable], 1e-300)
        size = len(self.active)
        grown = np.empty((size + 1, size + 1))
        grown[:size, :size] = self.inverse + np.outer(half, half) / spare
        grown[:size, size] = grown[size, :size] = -half / spare
        grown[size, size] = 1 / spare
        self.inverse = grown
        self.active.append(variable)
        self.entries[variable] = max(self.entries[variable], self.penalty)

    def _leave(self, place: int) -> None:
        """Takes a row out of the inverse."""
        stay = [i for i in range(len(self.active)) if i != place]
        column = self.inverse[stay, place]
        self.inverse = self.inverse[np.ix_(stay, stay)] - np.outer(column, column) / self.inverse[place, place]
        self.factors[self.active.pop(place)] = 0.0
