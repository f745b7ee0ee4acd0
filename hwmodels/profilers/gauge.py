"""The gauge: fixed pieces of work that tell in which moments a processor and its memory are undisturbed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from hwmodels.profilers.aligned import aligned
from hwmodels.profilers.crowd import CONFIRMED, Clocked, Level, Shared

Run = Callable[[], object]

SIZE = 96
"""Rows and columns of two matrices whose product is the work: ten microseconds or some more, in the nearest caches."""

SWEEP_BYTES = 4 * 1024 * 1024
"""Size of a vector that is multiplied by itself: more than a core's own caches hold."""

BAND = 0.025
"""What a quiet reading may be off the level (relative)."""
FIRST_S = 1.0
"""How long a process reads before it measures, where it knows nothing."""
BEGIN_S = 10.0
"""How long a process waits at most for a moment in which it may begin."""

APART = 1.02
"""How many times their best several threads may take: what no clock explains, since they are held against it."""

Reading = tuple[float, ...]
"""Seconds that each piece of work takes now; that of later ones at the clock of the first one's level."""


class Gauge:
    """Reads how long each of some pieces of work takes, the least of some `calls`.

    The first is the processor's own, and its level is told on; the second reads memory, the third runs on several
    threads: they are of what neighbours share.
    """

    def __init__(self, *runs: Run, known_s: float = 0.0, calls: int = 4) -> None:
        self.runs, self.calls = list(runs), calls
        self._own = Clocked(known_s)
        levels: tuple[Level, ...] = (self._own, Shared(), Shared(APART))
        self.levels = levels[: len(runs)]
        self._told = 0
        self.may_begin: Callable[[], bool] = lambda: True
        """Whether the machine is such that a level can be told, which several threads that share a core would hide."""

    @property
    def known_s(self) -> float:
        """The level of the first work that another process saw, or 0."""
        return self._own.known_s

    @known_s.setter
    def known_s(self, known_s: float) -> None:
        self._own.known_s = known_s

    @property
    def reads_memory(self) -> bool:
        """Whether what memory takes is told of measurements: several threads read it otherwise than one does."""
        return len(self.runs) == 2

    @property
    def level_s(self) -> float:
        """The level of the first work; 0 before the first reading."""
        return self.levels[0].level_s

    def read(self) -> Reading:
        """Seconds that each work takes now."""
        own, *others = (min(burst(run, self.calls)) * 1e-9 for run in self.runs)
        self.levels[0].add(own)
        now = (own, *(other * self.level_s / own for other in others))
        for level, reading in zip(self.levels[1:], now[1:]):
            if self.is_own(now) or not level.level_s:  # what a disturbed processor is held against looks too fast
                level.add(reading)
        self._told += 1
        return now

    def settle(self) -> None:
        """Reads for a while where no level is known: a process whose first moments are disturbed can't tell."""
        if self.level_s or self.known_s:
            return
        deadline = time.monotonic() + BEGIN_S
        while not self.may_begin() and time.monotonic() < deadline:
            time.sleep(BEGIN_S / 100)
        deadline = time.monotonic() + FIRST_S
        while time.monotonic() < deadline:
            self.read()

    def wait(self, patience_s: float) -> Reading:
        """Reads until a moment is quiet, for so long at most once there were readings to tell; the last reading."""
        deadline = time.monotonic() + patience_s
        now = self.read()
        while self._told < CONFIRMED or (not self.is_quiet(now) and time.monotonic() < deadline):
            now = self.read()
        return now

    def read_after(self) -> Reading:
        """Seconds that each work takes after a burst, which may have pushed out what the later work reads: where only
        that is late a second reading counts."""
        now = self.read()
        return self.read() if self.is_own(now) and not self.is_quiet(now) else now

    def is_quiet(self, reading: Reading) -> bool:
        """Whether all work takes what it does on an undisturbed machine at its present clock."""
        return all(_holds(level, now) for level, now in zip(self.levels, reading))

    def is_own(self, reading: Reading) -> bool:
        """Whether the first work does, which is the processor's own."""
        return _holds(self.levels[0], reading[0])

    def late(self, reading: Reading) -> float:
        """How far (relative) the later work is above its level."""
        return max(now / level.level_s - 1.0 for level, now in zip(self.levels, reading))


def _holds(level: Level, reading_s: float) -> bool:
    """Whether that is what the work takes undisturbed."""
    return abs(reading_s - level.level_s) <= BAND * level.level_s


def new_gauge(*several: Run) -> Gauge:
    """The gauge of this machine, with no level yet; with work for several threads."""
    left, right = map(aligned, np.random.default_rng(0).standard_normal((2, SIZE, SIZE)).astype(np.float32))
    return Gauge(partial(np.matmul, left, right, out=aligned(left)), new_sweep(), *several)


def new_sweep() -> Run:
    """Work that reads more memory than a core's own caches hold, all of it once, and waits for nothing else."""
    vector = aligned(np.random.default_rng(0).standard_normal(SWEEP_BYTES // 4).astype(np.float32))
    return partial(np.dot, vector, vector)


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
