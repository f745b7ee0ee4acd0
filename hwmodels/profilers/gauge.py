"""The gauge: a fixed piece of work that tells in which moments a processor is undisturbed.

An undisturbed processor takes one time for it, which may change in seconds or hours as the clock does: a Xeon of 2023
was at 1.08 times its best for 40 of 100 readings and at its best for one. With a neighbour on the other half of its
core it took 1.3 to 1.8 times as long, seldom twice the same. So readings crowd at the present level, and those at
the level are quiet; faster ones are of a clock that the next minute won't have.
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

CONFIRMED = 8
"""Readings that must be as low before they count as the best there is: a single one may be luck."""
CLOCKS = 1.25
"""How many times its best an undisturbed processor may take."""
CROWD = 0.02
"""Width (relative) of the range that holds the most readings: the level is in its middle."""
BAND = 0.025
"""What a quiet reading may be off the level (relative)."""
FIRST_S = 1.0
"""How long a process reads before it measures, where it knows nothing."""
KEPT, EVERY = 1000, 32
"""Readings that the level follows, and after how many it is looked for again."""


@dataclass
class Gauge:
    """Reads how long `run` takes, the least of some `calls`; `known_s` is the level that another process saw, or 0."""

    run: Run
    known_s: float = 0.0
    calls: int = 4
    level_s: float = 0.0
    _lowest: list[float] = field(default_factory=list)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _unseen: int = 0

    def read(self) -> float:
        """Seconds that the work takes now."""
        now = min(burst(self.run, self.calls)) * 1e-9
        self._lowest = sorted([*self._lowest, now])[:CONFIRMED]
        if now <= self._most_s:
            self._recent.append(now)
        self._unseen += 1
        if self._unseen >= EVERY or not self.level_s:
            self.level_s, self._unseen = self._level(), 0
        return now

    def settle(self) -> None:
        """Reads for a while where no level is known: a process whose first moments are disturbed can't tell."""
        deadline = time.monotonic() + (0.0 if self.level_s or self.known_s else FIRST_S)
        while time.monotonic() < deadline:
            self.read()

    def wait(self, patience_s: float) -> float:
        """Reads until a moment is quiet, for so long at most once there were readings to tell; the last reading."""
        deadline = time.monotonic() + patience_s
        now = self.read()
        while len(self._lowest) < CONFIRMED or (not self.is_quiet(now) and time.monotonic() < deadline):
            now = self.read()
        return now

    def is_quiet(self, reading_s: float) -> bool:
        """Whether that is what the work takes on an undisturbed processor at its present clock."""
        return abs(reading_s - self.level_s) <= BAND * self.level_s

    @property
    def _most_s(self) -> float:
        """The longest reading that may be of an undisturbed processor."""
        best = [self._lowest[-1], *([self.known_s] if self.known_s else [])]
        return CLOCKS * min(best)

    def _level(self) -> float:
        """The middle of the range in which the most readings lie; without readings, what was known."""
        times = np.sort([reading for reading in self._recent if reading <= self._most_s])
        if not len(times):
            return self.known_s
        ends = np.searchsorted(times, times * (1.0 + CROWD), side="right")
        fullest = int(np.argmax(ends - np.arange(len(times))))
        return float(np.median(times[fullest : ends[fullest]]))


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
