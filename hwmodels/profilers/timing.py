"""The estimator: the minimum over many short bursts of calls, all items interleaved and spread in time.

Other programs on the machine only ever add time, so the minimum repeats to well under 1 % where medians and means
move by 5 to 20 %, given that it sees quiet moments. A gauge (a fixed piece of work whose best time is known) is run
between all bursts and says which moments those are; a burst waits for one, because on a rented machine whose
neighbours compute there are few, of some milliseconds each. Noise makes a measurement take longer, and in the end
widens its error, but doesn't bend it. Two halves of the quiet bursts that agree say when to stop.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hwmodels.base import Measurement

Run = Callable[[], object]


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        bursts, most_bursts: quiet bursts of an item that are enough where their halves agree, and in any case.
        burst_s: time that a burst should take, within `calls` calls (least, most).
        tolerance: relative disagreement of two halves of the bursts at which an item is settled.
        budget_s: after two rounds and so long, all items are given up: it is noisy, and another minute is better.
        patience_s: the longest that a burst waits for a quiet moment.
        pause_s: waited after each round.
        together: items go on until all are settled, so that their ratios are fair.
    """

    bursts: int = 6
    most_bursts: int = 16
    burst_s: float = 1.5e-3
    calls: tuple[int, int] = (2, 40)
    tolerance: float = 5e-3
    budget_s: float = 2.0
    patience_s: float = 20e-3
    pause_s: float = 0.0
    together: bool = False


EFFORTS: Mapping[str, Effort] = {
    "networks": Effort(burst_s=5e-3, calls=(3, 40), together=True, budget_s=15.0),
    "glance": Effort(bursts=4, most_bursts=8, burst_s=5e-3, together=True, budget_s=0.6),
    "nodes": Effort(),
    "itself": Effort(bursts=40, most_bursts=40, together=True, pause_s=0.03),
}
"""Whole networks; the same in about a second; single nodes; an empty call."""


CONFIRMED = 8
"""Readings of a gauge that must be as low before it counts as its best: a single one may be luck."""


@dataclass
class Gauge:
    """A fixed piece of work; `best_s` is what it takes when nothing disturbs, as low as several readings were."""

    run: Run
    best_s: float = float("inf")
    calls: int = 4
    slack: float = 0.05
    lowest: list[float] = field(default_factory=list)

    @property
    def known(self) -> bool:
        """Whether there is a best time yet."""
        return self.best_s < float("inf")

    @property
    def quiet_s(self) -> float:
        """What a reading takes at most in a quiet moment."""
        return self.best_s * (1.0 + self.slack)

    def read(self) -> float:
        """Seconds that the work takes now."""
        now = min(_burst(self.run, self.calls)) * 1e-9
        self.lowest = sorted([*self.lowest, now])[:CONFIRMED]
        if len(self.lowest) == CONFIRMED:
            self.best_s = min(self.best_s, self.lowest[-1])
        return now

    def wait(self, patience_s: float) -> float:
        """Reads until a moment is quiet, for so long at most once the best is known; the last reading."""
        deadline = time.monotonic() + patience_s
        now = self.read()
        while not self.known or (now > self.quiet_s and time.monotonic() < deadline):
            now = self.read()
        return now


@dataclass
class _Item:
    runs: Sequence[Run]
    calls: int = 0
    times: list[int] = field(default_factory=list)
    minima: list[tuple[float, int]] = field(default_factory=list)
    """Of each burst: the slower reading of the gauge around it, and the shortest call."""

    def quiet(self, gauge: Gauge) -> list[int]:
        """Shortest calls of the bursts that ran undisturbed."""
        return [least for reading, least in self.minima if reading <= gauge.quiet_s]

    def disagreement(self, gauge: Gauge) -> float:
        """Of two halves of the quiet bursts; without two, of all, and no less than the gauge was late."""
        quiet = self.quiet(gauge)
        if len(quiet) >= 2:
            return _halves(quiet)
        late = min(reading for reading, _ in self.minima) / gauge.best_s - 1.0
        return max(late, _halves([least for _, least in self.minima]))


def measure_interleaved(
    copies: Sequence[Sequence[Run]], gauge: Gauge, effort: Effort, before: Run | None = None
) -> list[Measurement]:
    """One Measurement per item, in the same order; garbage collection is held off meanwhile.

    An item is given as one callable or several copies of it, which take turns: where buffers happen to lie can change
    a network's latency by 5 %, and the least of several placements repeats. `before` runs ahead of every call, outside
    its time: a processor that does one thing only learns it by heart.
    """
    items = [_Item(runs) for runs in copies]
    collecting = gc.isenabled()
    gc.disable()
    try:
        for item in items:
            item.calls = min(_calls_per_burst(run, effort) for run in item.runs)
        _rounds(items, gauge, effort, before)
    finally:
        if collecting:
            gc.enable()
    return [_summary(item, gauge) for item in items]


def _rounds(items: list[_Item], gauge: Gauge, effort: Effort, ahead: Run | None) -> None:
    start, number, active = time.monotonic(), 0, items
    while active:
        before = float("inf")
        for item in active:
            if number >= 2 and time.monotonic() - start >= effort.budget_s:
                return
            if not gauge.known or before > gauge.quiet_s:
                before = gauge.wait(effort.patience_s)
            burst = _burst(item.runs[number % len(item.runs)], item.calls, ahead)
            after = gauge.read()
            item.times += burst
            item.minima.append((max(before, after), min(burst)))
            before = after
        number += 1
        unsettled = [item for item in active if not _settled(item, gauge, effort)]
        active = active if effort.together and unsettled else unsettled
        time.sleep(effort.pause_s)


def _settled(item: _Item, gauge: Gauge, effort: Effort) -> bool:
    quiet = item.quiet(gauge)
    return len(quiet) >= effort.most_bursts or (len(quiet) >= effort.bursts and _halves(quiet) <= effort.tolerance)


def _halves(minima: list[int]) -> float:
    """How far the minima of every other burst and of the rest disagree, relative to the smaller."""
    even, odd = min(minima[::2]), min(minima[1::2])
    return abs(even - odd) / max(1, min(even, odd))


def _burst(run: Run, calls: int, ahead: Run | None = None) -> list[int]:
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


def _calls_per_burst(run: Run, effort: Effort) -> int:
    least, most = effort.calls
    once = max(1, min(_burst(run, 2))) * 1e-9
    return min(most, max(least, int(effort.burst_s / once)))


def _summary(item: _Item, gauge: Gauge) -> Measurement:
    times = sorted(item.times)
    return Measurement(
        latency_s=max(1, times[0]) * 1e-9,
        p10_s=max(1, times[len(times) // 10]) * 1e-9,
        median_s=max(1, times[len(times) // 2]) * 1e-9,
        calls=len(times),
        disagreement=item.disagreement(gauge),
    )
