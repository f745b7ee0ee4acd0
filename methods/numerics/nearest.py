"""Nearest of a few centres for millions of values: a table over even bins answers nearly all, a search the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 1 << 16
CHUNK = 1 << 20
"""Values looked up at a time, to stay in the cache and to bound the memory."""

Floats = NDArray[np.float32]


def nearest(values: Floats, centres: Floats) -> NDArray[np.uint8]:
    """The index of the nearest of the rising `centres` (`[k]`, k <= 256), the lower one on a tie.

    Same shape as `values`. Borders between centres are rounded to float32.
    """
    flat = values.reshape(-1)
    indices = np.zeros(flat.size, dtype=np.uint8)
    if len(centres) > 1:
        table = _Table.of(((centres[1:].astype(np.float64) + centres[:-1]) / 2).astype(np.float32))
        for at in range(0, flat.size, CHUNK):
            table.look_up(flat[at : at + CHUNK], indices[at : at + CHUNK])
    return indices.reshape(values.shape)


@dataclass(frozen=True)
class _Table:
    """Bin of a value -> index of its interval, for bins without a border; the others are `mixed`."""

    borders: Floats
    per_unit: np.float32
    index: NDArray[np.uint8]
    mixed: NDArray[np.bool_]

    @classmethod
    def of(cls, borders: Floats) -> _Table:
        span = float(borders[-1]) - float(borders[0])
        per_unit = np.float32(min((BINS - 4) / span, 1e30) if span else 1e30)
        count = np.bincount(_bins(borders, borders[0], per_unit), minlength=BINS)
        return cls(borders, per_unit, np.cumsum(count).astype(np.uint8), count > 0)

    def look_up(self, values: Floats, out: NDArray[np.uint8]) -> None:
        bins = _bins(values, self.borders[0], self.per_unit)
        np.take(self.index, bins, out=out)
        hard = np.flatnonzero(self.mixed[bins])
        out[hard] = np.searchsorted(self.borders, values[hard], side="left")


def _bins(values: Floats, low: np.float32, per_unit: np.float32) -> NDArray[np.int32]:
    """Monotonic in the value, so that a border and a larger value never come out the wrong way round."""
    with np.errstate(over="ignore"):
        scaled = (values - low) * per_unit + np.float32(1.0)
    bins: NDArray[np.int32] = np.clip(scaled, 0, BINS - 1).astype(np.int32)
    return bins
