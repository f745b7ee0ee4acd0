"""The process of one core for benchmarks/cores.py: fixed work over and over, its best time in each moment."""

from __future__ import annotations

import os
import time

import numpy as np
from numpy.typing import NDArray

from hwmodels.profilers.aligned import aligned

MOMENT_S = 2e-4


def moments(core: int, start: float, seconds: float) -> NDArray[np.float64]:
    """Seconds that the work takes at best in each moment; `start` is in seconds since the epoch."""
    os.sched_setaffinity(0, {core})
    left, right = map(aligned, np.random.default_rng(0).standard_normal((2, 96, 96)).astype(np.float32))
    made = aligned(left)
    times = np.full(int(seconds / MOMENT_S), np.nan)
    while time.time() < start:
        np.matmul(left, right, out=made)
    begin = time.perf_counter()
    now = begin
    while (place := int((now - begin) / MOMENT_S)) < len(times):
        np.matmul(left, right, out=made)
        before, now = now, time.perf_counter()
        times[place] = np.nanmin([times[place], now - before])
    return times
