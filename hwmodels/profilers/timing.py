"""The estimator: many short bursts of calls, all items interleaved and spread in time; of those in quiet moments the
lower quartile.

A gauge (fixed work for the processor, and for memory) is run between all bursts and says which moments are quiet; a
burst waits for one, because on a rented machine whose neighbours compute there are few, of some milliseconds each.
Within a burst the shortest call counts, as other programs only add time; of bursts the lower quartile, which the best
of several placements reaches, and a moment at a higher clock doesn't. Noise makes a measurement take longer, and in the
end widens its error, but doesn't bend it. Two halves of the quiet bursts that agree say when to stop.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from hwmodels.base import Measurement
from hwmodels.profilers.gauge import Gauge, Reading, Run, burst

FEW, DEAF = 6, 0.2
"""An item doesn't hear of memory's neighbours where its times, of so many bursts, spread by no more than such a share
of what the gauge's memory does."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        bursts, most_bursts: quiet bursts of an item that are enough where their halves agree, and in any case.
        burst_s: time that a burst should take, within `calls` calls (least, most).
        tolerance: relative disagreement of two halves of the bursts at which an item is settled.
        budget_s: after two rounds and so long for each item, but `least_s` in all, they are given up: it is noisy, and
            another minute is better.
        patience_s: the longest that a burst waits for a quiet moment.
        pause_s: waited after each round.
        together: items go on until all are settled, so that their ratios are fair.
    """

    bursts: int = 6
    most_bursts: int = 16
    burst_s: float = 1.5e-3
    calls: tuple[int, int] = (2, 40)
    tolerance: float = 5e-3
    budget_s: float = 0.08
    least_s: float = 1.0
    patience_s: float = 20e-3
    pause_s: float = 0.0
    together: bool = False


EFFORTS: Mapping[str, Effort] = {
    "networks": Effort(burst_s=5e-3, calls=(3, 40), together=True, budget_s=2.5),
    "glance": Effort(bursts=4, most_bursts=8, burst_s=5e-3, together=True, budget_s=0.2, least_s=0.6),
    "nodes": Effort(),
    "itself": Effort(bursts=40, most_bursts=40, together=True, pause_s=0.03, budget_s=1.0),
}
"""Whole networks; the same in about a second; single nodes; an empty call."""


Burst = tuple[Reading, Reading, int]
"""Readings of the gauge before and after, and the shortest call."""


@dataclass
class _Item:
    runs: Sequence[Run]
    calls: int = 0
    times: list[int] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)

    def quiet(self, gauge: Gauge) -> list[float]:
        """Shortest calls of the bursts that ran undisturbed, at the clock of the gauge's level; where memory's
        neighbours are nothing to this item, they needn't be."""
        own = [burst for burst in self.bursts if gauge.is_cores(burst[0]) and gauge.is_cores(burst[1])]
        times = [_at_level(burst, gauge) for burst in own]
        if len(own) >= FEW and _spread(times) <= DEAF * _spread([max(map(_memory, burst[:2])) for burst in own]):
            return times
        return [t for (b, a, _), t in zip(own, times) if gauge.is_quiet(b) and gauge.is_quiet(a)]

    def found(self, gauge: Gauge) -> tuple[float, float]:
        """Nanoseconds of a call, and how far two halves of the quiet bursts disagree.

        Without two of these it is the shortest call of all, and disagrees no less than the gauge was late.
        """
        quiet = self.quiet(gauge)
        if len(quiet) >= 2:
            return _lower(quiet), _halves(quiet)
        late = min(max(gauge.late(before), gauge.late(after)) for before, after, _ in self.bursts)
        return min(self.times), max(late, _halves([least for *_, least in self.bursts]))

    def memory_s(self, gauge: Gauge) -> float:
        """What memory took when it ran; 0, not known, where all its bursts were disturbed: held against a processor
        that is, memory looks too fast."""
        told = [[_memory(reading) for reading in burst[:2] if gauge.is_own(reading)] for burst in self.bursts]
        return median(map(min, filter(None, told))) if any(told) else 0.0


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
        gauge.settle()
        for item in items:
            item.calls = min(_calls_per_burst(run, effort) for run in item.runs)
        _rounds(items, gauge, effort, before)
    finally:
        if collecting:
            gc.enable()
    return [_summary(item, gauge) for item in items]


def _rounds(items: list[_Item], gauge: Gauge, effort: Effort, ahead: Run | None) -> None:
    start, number, active = time.monotonic(), 0, items
    budget_s = max(effort.least_s, effort.budget_s * len(items))
    while active:
        before: Reading = {}
        for item in active:
            if number >= 2 and time.monotonic() - start >= budget_s:
                return
            if not before or not gauge.is_quiet(before):
                before = gauge.wait(effort.patience_s)
            times = burst(item.runs[number % len(item.runs)], item.calls, ahead)
            after = gauge.read_after()
            item.times += times
            item.bursts.append((before, after, min(times)))
            before = after
        number += 1
        unsettled = [item for item in active if not _settled(item, gauge, effort)]
        active = active if effort.together and unsettled else unsettled
        time.sleep(effort.pause_s)


def _settled(item: _Item, gauge: Gauge, effort: Effort) -> bool:
    quiet = item.quiet(gauge)
    return len(quiet) >= effort.most_bursts or (len(quiet) >= effort.bursts and _halves(quiet) <= effort.tolerance)


def _halves(minima: Sequence[float]) -> float:
    """How far every other burst and the rest disagree, relative to the smaller."""
    even, odd = _lower(minima[::2]), _lower(minima[1::2])
    return abs(even - odd) / max(1.0, min(even, odd))


def _spread(values: Sequence[float]) -> float:
    """Between the quartiles, relative to the lower one."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]
    return high / max(low, 1e-12) - 1.0


def _at_level(burst: Burst, gauge: Gauge) -> float:
    """What its shortest call would have taken at the clock of the gauge's level, which moves by some per cent within a
    second."""
    before, after, least = burst
    return least * gauge.level_s / min(before["own"], after["own"])


def _memory(reading: Reading) -> float:
    """What memory took, or arithmetic where it isn't read."""
    return reading.get("memory", reading["own"])


def _lower(minima: Sequence[float]) -> float:
    """The lower quartile."""
    return sorted(minima)[len(minima) // 4]


def _calls_per_burst(run: Run, effort: Effort) -> int:
    least, most = effort.calls
    once = max(1, min(burst(run, 2))) * 1e-9
    return min(most, max(least, int(effort.burst_s / once)))


def _summary(item: _Item, gauge: Gauge) -> Measurement:
    """Percentiles are of all calls, noise included, and never below the latency."""
    found, disagreement = item.found(gauge)
    latency = max(1.0, found)
    times = sorted(max(latency, spent) for spent in item.times)
    return Measurement(
        latency_s=latency * 1e-9,
        p10_s=times[len(times) // 10] * 1e-9,
        median_s=times[len(times) // 2] * 1e-9,
        calls=len(times),
        disagreement=disagreement,
        gauge_s=gauge.level_s,
        memory_s=item.memory_s(gauge) if gauge.reads_memory else 0.0,
    )
