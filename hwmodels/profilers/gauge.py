"""The gauge: a fixed piece of work that tells in which moments a processor is undisturbed, and its clock then.

An undisturbed processor takes one time for it, which may change in seconds or hours as the clock does: a Xeon of 2023
was at 1.08 times its best for 40 of 100 readings and at its best for one. With a neighbour on the other half of its
core it took 1.3 to 1.8 times as long, seldom twice the same. So the level is where half of a stretch of readings
crowd, unless they crowded far lower before; readings at the level and below are quiet, and what is measured between two
of them is put to the clock of the table.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

Run = Callable[[], object]

SIZE = 96
"""Rows and columns of two matrices whose product is the work: ten microseconds or some more, in the nearest caches."""

CLOCKS = 1.25
"""How many times as fast as at another time an undisturbed processor may be."""
CROWD = 0.02
"""Width (relative) of the range that holds half of a stretch: the level is in its middle."""
BAND = 0.025
"""What a quiet reading may be above the level, and two around a burst apart (relative)."""
STRETCH, EVERY = 200, 25
"""Readings that make one, and after how many the level is looked for again."""


@dataclass
class Gauge:
    """Reads how long `run` takes, the least of some `calls`.

    Attributes:
        known_s: the level that another process saw, or 0. clocks: whether what is measured goes by the same clock.
        settle_s: how long the level is looked for at first; less where one is known and found.
        level_s: what the work takes now, undisturbed. best_s: the lowest level so far.
    """

    run: Run
    known_s: float = 0.0
    calls: int = 4
    clocks: bool = True
    settle_s: float = 2.0
    level_s: float = 0.0
    best_s: float = float("inf")
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=STRETCH))
    _unseen: int = 0

    def read(self) -> float:
        """Seconds that the work takes now."""
        now = min(burst(self.run, self.calls)) * 1e-9
        self._recent.append(now)
        self._unseen += 1
        if self._unseen >= EVERY and len(self._recent) == STRETCH:
            self._look()
        return now

    def settle(self) -> None:
        """Finds the level, if there is none yet: in vain it is the one that was known, or the least reading."""
        deadline = time.monotonic() + (0.0 if self.level_s else self.settle_s)
        while time.monotonic() < deadline and not (self.known_s and self.level_s):
            self.read()
        self.level_s = self.level_s or self.known_s or min(self._recent)

    def wait(self, patience_s: float) -> float:
        """Reads until a moment is quiet, for so long at most; the last reading."""
        deadline = time.monotonic() + patience_s
        now = self.read()
        while not self.is_quiet(now) and time.monotonic() < deadline:
            now = self.read()
        return now

    def is_quiet(self, before_s: float, after_s: float | None = None) -> bool:
        """Whether the work takes no longer than on an undisturbed processor, at one clock before and after."""
        after_s = before_s if after_s is None else after_s
        return max(before_s, after_s) <= (1.0 + BAND) * self.level_s and abs(before_s - after_s) <= BAND * self.level_s

    def to_clock(self, before_s: float, after_s: float) -> float:
        """What a time between two quiet readings is to be multiplied by, to be one at the clock that was known."""
        return clock_ratio(self.known_s or self.level_s, (before_s + after_s) / 2) if self.clocks else 1.0

    def _look(self) -> None:
        """Moves the level to where half of the last readings crowd, if anywhere a processor's clock may be."""
        self._unseen = 0
        times = np.sort(self._recent)
        ends = np.searchsorted(times, times * (1.0 + CROWD), side="right")
        fullest = int(np.argmax(ends - np.arange(len(times))))
        crowd = times[fullest : ends[fullest]]
        level_s = float(np.median(crowd))
        if 2 * len(crowd) >= STRETCH and level_s <= CLOCKS * min(self.best_s, self.known_s or self.best_s):
            self.level_s, self.best_s = level_s, min(level_s, self.best_s)


def clock_ratio(known_s: float, now_s: float) -> float:
    """How many times as fast the clock was when the work took `known_s`; 1 where that is more than clocks differ by."""
    return known_s / now_s if known_s > 0 and max(known_s / now_s, now_s / known_s) <= CLOCKS else 1.0


def new_gauge() -> Gauge:
    """The gauge of this machine, on one thread whatever is measured; it has no level yet."""
    left, right = np.random.default_rng(0).standard_normal((2, SIZE, SIZE)).astype(np.float32)
    return Gauge(partial(np.matmul, left, right, out=np.empty_like(left)))


def burst(run: Run, calls: int, ahead: Run | None = None) -> list[int]:
    """Nanoseconds of each call; `ahead` runs between them."""
    clock = time.perf_counter_ns
    times = []
    for _ in range(calls):
        if ahead is not None:
            ahead()
        start = clock()
        run()
        times.append(clock() - start)
    return times
