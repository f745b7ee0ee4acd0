from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise

import pytest

from hwmodels.profilers import timing
from hwmodels.profilers.timing import Effort, Gauge, measure_interleaved


class Clock:
    """A clock that only moves when a piece of work says so, in nanoseconds; `slow` is the machine's disturbance."""

    def __init__(self) -> None:
        self.now = 0
        self.slow = 1.0
        self.order: list[str] = []

    def work(self, name: str, nanoseconds: int) -> Callable[[], None]:
        def run() -> None:
            self.now += int(nanoseconds * self.slow)
            self.order.append(name)

        return run

    def noisy_until(
        self, end: int, quiet: int = 0, period: int = 1
    ) -> Callable[[Callable[[], None]], Callable[[], None]]:
        """Makes work take half as long again until `end`, but for the first `quiet` nanoseconds of each period."""

        def noisy(work: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                self.slow = 1.0 if self.now >= end or self.now % period < quiet else 1.5
                work()

            return run

        return noisy

    def perf_counter_ns(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now * 1e-9

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_bursts_are_interleaved(clock: Clock) -> None:
    """No item runs two bursts in a row, so that a slow moment can't fall on one item alone."""
    runs = [[clock.work("a", 1_000_000)], [clock.work("b", 3_000_000)]]
    found = measure_interleaved(runs, Gauge(clock.work("g", 1000)), Effort())
    assert [m.latency_s for m in found] == [pytest.approx(1e-3), pytest.approx(3e-3)]
    bursts = [name for before, name in pairwise(clock.order) if name != before and name != "g"]
    assert len(bursts) >= 12
    assert all(one != other for one, other in pairwise(bursts))


@pytest.mark.parametrize(("each_s", "calls"), [(1e-6, 40), (1e-3, 4), (50e-3, 2)])
def test_calls_per_burst_follow_the_latency(clock: Clock, each_s: float, calls: int) -> None:
    """Tiny work is called forty times a burst, long work twice."""
    (found,) = measure_interleaved(
        [[clock.work("a", int(each_s * 1e9))]], Gauge(clock.work("g", 1000)), Effort(burst_s=4e-3)
    )
    assert found.calls == 6 * calls


def test_noise_prolongs_and_does_not_bend(clock: Clock) -> None:
    """While the gauge is late nothing settles; the quiet moment that follows gives the figure."""
    gauge = Gauge(clock.work("g", 1000), best_s=1e-6)
    work = clock.work("a", 1_000_000)

    def disturbed() -> None:
        clock.slow = 1.5 if clock.now < 500_000_000 else 1.0
        work()

    (found,) = measure_interleaved([[disturbed]], gauge, Effort())
    assert found.latency_s == pytest.approx(1e-3)
    assert found.disagreement == 0.0
    assert found.median_s == pytest.approx(1.5e-3)


def test_endless_noise_widens_the_error(clock: Clock) -> None:
    """A machine that stays 30 % slow until the budget is spent says so in the disagreement."""
    clock.slow = 1.3
    gauge = Gauge(clock.work("g", 1000), best_s=1e-6)
    (found,) = measure_interleaved([[clock.work("a", 1_000_000)]], gauge, Effort(budget_s=1.0))
    assert found.disagreement == pytest.approx(0.3)
    assert clock.monotonic() == pytest.approx(1.0, abs=0.1)


def test_bursts_wait_for_quiet_moments(clock: Clock) -> None:
    """Where five milliseconds in twenty-five are quiet, most calls fall into these."""
    noisy = clock.noisy_until(10**12, quiet=5_000_000, period=25_000_000)
    gauge = Gauge(noisy(clock.work("g", 1000)), best_s=1e-6)
    runs = [[noisy(clock.work(name, 100_000))] for name in "abcd"]
    for found in measure_interleaved(runs, gauge, Effort()):
        assert found.median_s == pytest.approx(1e-4)
        assert found.disagreement == 0.0


def test_a_lucky_reading_is_no_best_time(clock: Clock) -> None:
    """What the gauge takes is as low as several readings were; one that nothing confirms makes no noise of the rest."""
    gauge = Gauge(clock.work("g", 1000))
    for number in range(40):
        clock.slow = 0.7 if number == 20 else 1.0
        gauge.read()
    assert gauge.best_s == pytest.approx(1e-6)


def test_copies_take_turns(clock: Clock) -> None:
    """The least of several placements of the same network is its latency."""
    copies = [clock.work("slow", 1_050_000), clock.work("fast", 1_000_000)]
    (found,) = measure_interleaved([copies], Gauge(clock.work("g", 1000)), Effort())
    assert found.latency_s == pytest.approx(1e-3)
    assert clock.order.count("slow") == clock.order.count("fast")


def test_garbage_collection_comes_back() -> None:
    """It is off while timing and on again afterwards, also when the work fails."""
    states: list[bool] = []

    def fails() -> None:
        states.append(gc.isenabled())
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        measure_interleaved([[fails]], Gauge(lambda: None), Effort())
    assert states == [False]
    assert gc.isenabled()
