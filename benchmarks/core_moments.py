"""The process of one core for benchmarks/cores.py: fixed work over and over, its best time in each moment."""

from __future__ import annotations

import os
import time

import numpy as np
from numpy.typing import NDArray

from hwmodels.profilers.gauge import new_product

MOMENT_S = 2e-4


def moments(core: int, start: float, seconds: float) -> NDArray[np.float64]:
    """Seconds that the work takes at best in each moment; `start` is in seconds since the epoch."""
    os.sched_setaffinity(0, {core})
    run = new_product()
    times = np.full(int(seconds / MOMENT_S), np.nan)
    while time.time() < start:
        run()
    begin = time.perf_counter()
    now = begin
    while (place := int((now - begin) / MOMENT_S)) < len(times):
        run()
        before, now = now, time.perf_counter()
        times[place] = np.nanmin([times[place], now - before])
    return times
