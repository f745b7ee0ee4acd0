"""A histogram that takes any number of batches in a fixed amount of memory: what observers of activations keep."""

from __future__ import annotations

from math import ceil, log2

import numpy as np
from numpy.typing import NDArray

from methods.numerics.formats import Points

HALF = 2048
"""Bins on each side of zero."""


class Histogram:
    """Counts of numbers in equal bins from `-limit` to `limit`; a larger number doubles the limit until it fits."""

    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(2 * HALF, dtype=np.int64)
        self.limit = 0.0
        self.least, self.most = np.inf, -np.inf

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts every entry. Raises ValueError where one is not finite."""
        flat = np.asarray(values, dtype=np.float64).reshape(-1)
        if not np.isfinite(flat).all():
            raise ValueError("a value is not a finite number")
        if not flat.size:
            return
        self.least, self.most = min(self.least, float(flat.min())), max(self.most, float(flat.max()))
        self._widen(max(abs(self.least), abs(self.most)))
        if self.limit:
            place = np.floor((flat / self.limit + 1.0) * HALF).astype(np.int64)
            self.counts += np.bincount(np.clip(place, 0, 2 * HALF - 1), minlength=2 * HALF)
        else:
            self.counts[HALF] += flat.size

    @property
    def centres(self) -> Points:
        """The middle of each bin."""
        return np.asarray((np.arange(2 * HALF) + 0.5 - HALF) * (self.limit / HALF), dtype=np.float64)

    def _widen(self, largest: float) -> None:
        """Doubling keeps the edges: two old bins make up a new one."""
        if largest <= self.limit:
            return
        if not self.limit:
            self.limit = largest
            return
        times = ceil(log2(largest / self.limit) - 1e-12)
        for _ in range(max(1, times)):
            pairs = self.counts.reshape(-1, 2).sum(axis=1)
            self.counts = np.concatenate([np.zeros(HALF // 2, np.int64), pairs, np.zeros(HALF // 2, np.int64)])
            self.limit *= 2.0
