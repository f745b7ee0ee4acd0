"""The gauge: fixed pieces of work that tell in which moments a processor and its memory are undisturbed.

`own` is arithmetic, which tells the clock. `calls` is what a runtime does between arithmetic: small calls that need a
core's nearest caches and little else. `memory` reads more than they hold, and `several` works on several threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from hwmodels.profilers.aligned import aligned
from hwmodels.profilers.crowd import CLOCKS, CONFIRMED, Clocked, Level, Shared

Run = Callable[[], object]

SIZE = 96
"""Rows and columns of two matrices whose product is the work: ten microseconds or some more, in the nearest caches."""

ROUNDS = 3
"""How often a handful of small calls is made: a few ten microseconds."""

SWEEP_BYTES = 4 * 1024 * 1024
"""Size of a vector that is multiplied by itself: more than a core's own caches hold."""

BAND = 0.025
"""What a quiet reading may be off the level (relative)."""
BANDS: Mapping[str, float] = {"calls": 0.05}
"""The same where it is another: small calls differ more from one to the next, and by 40 % beside some neighbours."""
CALLS = 4
"""Of so many calls of a work the least is its reading."""
FIRST_S = 1.0
"""How long a process reads before it measures, where it knows nothing."""
BEGIN_S = 10.0
"""How long a process waits at most for a moment in which it may begin."""
LISTEN_S = 0.1
"""How long a core is listened to for a quiet moment: beside neighbours they come several times in so long, or not for
seconds."""

APART = 1.02
"""How many times their best several threads may take: what no clock explains, since they are held against it."""

Reading = Mapping[str, float]
"""Seconds that each piece of work takes now; that of all but `own` at the clock of its level."""


class Gauge:
    """Reads how long `own` takes, whose level is told on, and some of `calls`, `memory` and `several`, which are of
    what neighbours share."""

    def __init__(self, own: Run, known_s: float = 0.0, **others: Run) -> None:
        self.runs = {"own": own, **others}
        self._own = Clocked(known_s)
        shared: Mapping[str, Level] = {"calls": Shared(), "memory": Shared(), "several": Shared(APART)}
        self.levels: Mapping[str, Level] = {"own": self._own, **{name: shared[name] for name in others}}
        self._told = 0
        self.may_begin: Callable[[], bool] = lambda: True
        """Whether the machine is such that a level can be told, which several threads that share a core would hide."""

    @property
    def known_s(self) -> float:
        """The level of `own` that another process saw, or 0."""
        return self._own.known_s

    @known_s.setter
    def known_s(self, known_s: float) -> None:
        self._own.known_s = known_s

    @property
    def reads_memory(self) -> bool:
        """Whether what memory takes is told of measurements: several threads read it otherwise than one does."""
        return "memory" in self.runs and "several" not in self.runs

    @property
    def level_s(self) -> float:
        """The level of `own`; 0 before the first reading."""
        return self._own.level_s

    def read(self) -> Reading:
        """Seconds that each work takes now."""
        found = {name: min(burst(run, CALLS)) * 1e-9 for name, run in self.runs.items()}
        own = found.pop("own")
        self._own.add(own)
        now = {"own": own} | {name: seconds * self.level_s / own for name, seconds in found.items()}
        for name in found:
            level = self.levels[name]
            if self.is_own(now) or not level.level_s:  # what a disturbed processor is held against looks too fast
                level.add(now[name])
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
        """Seconds that each work takes after a burst, which may have pushed out what the other work reads: where only
        that is late a second reading counts."""
        now = self.read()
        return self.read() if self.is_own(now) and not self.is_quiet(now) else now

    def hears_quiet(self) -> bool:
        """Whether arithmetic is undisturbed, at whatever clock, in a moment of the next `LISTEN_S`, or it isn't known
        what it takes. Levels stay as they are."""
        most_s = CLOCKS * (self.level_s or self.known_s)
        deadline = time.monotonic() + LISTEN_S
        while most_s and time.monotonic() < deadline:
            if min(burst(self.runs["own"], CALLS)) * 1e-9 <= most_s:
                return True
        return not most_s

    def is_quiet(self, reading: Reading) -> bool:
        """Whether all work takes what it does on an undisturbed machine at its present clock."""
        return all(self._holds(name, reading) for name in reading)

    def is_own(self, reading: Reading) -> bool:
        """Whether arithmetic does."""
        return self._holds("own", reading)

    def is_cores(self, reading: Reading) -> bool:
        """Whether what a core does by itself, arithmetic and calls, does."""
        return all(self._holds(name, reading) for name in ("own", "calls") if name in reading)

    def late(self, reading: Reading) -> float:
        """How far (relative) the latest work is above its level."""
        return max(now / self.levels[name].level_s - 1.0 for name, now in reading.items())

    def _holds(self, name: str, reading: Reading) -> bool:
        level_s = self.levels[name].level_s
        return abs(reading[name] - level_s) <= BANDS.get(name, BAND) * level_s


def new_gauge(several: Run | None = None) -> Gauge:
    """The gauge of this machine, with no level yet; with work for `several` threads."""
    shared = {"calls": new_calls(), "memory": new_sweep()} | ({"several": several} if several else {})
    return Gauge(new_product(), 0.0, **shared)


def new_product() -> Run:
    """Arithmetic in the nearest caches."""
    left, right = map(aligned, np.random.default_rng(0).standard_normal((2, SIZE, SIZE)).astype(np.float32))
    return partial(np.matmul, left, right, out=aligned(left))


def new_calls() -> Run:
    """Work that is hardly more than its calls, on next to no numbers."""
    left, right, made = (aligned(np.ones((4, 4), np.float32)) for _ in range(3))
    few: tuple[Run, ...] = (
        partial(np.add, left, right, out=made),
        partial(np.matmul, left, right, out=made),
        partial(np.maximum, left, right, out=made),
        partial(left.astype, np.int32),
        partial(left.reshape, 16),
        left.transpose,
        left.sum,
    )
    return partial(_each, few * ROUNDS)


def _each(runs: Sequence[Run]) -> None:
    for run in runs:
        run()


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
