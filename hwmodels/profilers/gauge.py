"""The gauge: fixed pieces of work that tell in which moments a processor and its memory are undisturbed."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from hwmodels.profilers.crowd import CONFIRMED, Clocked, Level, Shared

Run = Callable[[], object]

SIZE = 96
"""Rows and columns of two matrices whose product is the work: ten microseconds or some more, in the nearest caches."""

ROWS = 1024
"""Rows and columns of a matrix that is multiplied by a row: 4 MiB, more than a core's own caches hold."""

BAND = 0.025
"""What a quiet reading may be off the level (relative)."""
FIRST_S = 1.0
"""How long a process reads before it measures, where it knows nothing."""
BEGIN_S = 10.0
"""How long a process waits at most for a moment in which it may begin."""

Reading = tuple[float, ...]
"""Seconds that each piece of work takes now."""


class Gauge:
    """Reads how long each of some pieces of work takes, the least of some `calls`; the first one's level is told on.

    That is the processor's own, or with `several` what several threads share; the others are of what neighbours share.
    """

    def __init__(self, *runs: Run, known_s: float = 0.0, calls: int = 4, several: bool = False) -> None:
        self.runs, self.calls = list(runs), calls
        self.levels: list[Level] = [Shared() if number or several else Clocked() for number in range(len(runs))]
        self._told = 0
        self.known_s = known_s
        self.may_begin: Callable[[], bool] = lambda: True
        """Whether the machine is such that a level can be told, which several threads that share a core would hide."""

    @property
    def known_s(self) -> float:
        """The level of the first work that another process saw, or 0."""
        return self.levels[0].known_s

    @known_s.setter
    def known_s(self, known_s: float) -> None:
        self.levels[0].known_s = known_s

    @property
    def level_s(self) -> float:
        """The level of the first work; 0 before the first reading."""
        return self.levels[0].level_s

    def read(self) -> Reading:
        """Seconds that each work takes now."""
        now = tuple(min(burst(run, self.calls)) * 1e-9 for run in self.runs)
        for level, reading in zip(self.levels, now):
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


def new_gauge(several: bool = False) -> Gauge:
    """The gauge of this machine, with no level yet; work for `several` threads takes the place of its first one."""
    left, right = np.random.default_rng(0).standard_normal((2, SIZE, SIZE)).astype(np.float32)
    return Gauge(partial(np.matmul, left, right, out=np.empty_like(left)), new_sweep(), several=several)


def new_sweep() -> Run:
    """Work that reads more memory than a core's own caches hold, all of it once."""
    matrix = np.random.default_rng(0).standard_normal((ROWS, ROWS)).astype(np.float32)
    return partial(np.matmul, matrix, matrix[0], out=np.empty(ROWS, np.float32))


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
