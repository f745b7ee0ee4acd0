from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import pairwise

import pytest

from hwmodels.profilers import gauge as gauges
from hwmodels.profilers import timing
from hwmodels.profilers.crowd import CLOCKS, KEPT
from hwmodels.profilers.gauge import BAND, CALLS, Gauge
from hwmodels.profilers.timing import Effort, measure_interleaved


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
    monkeypatch.setattr(gauges, "FIRST_S", 0.01)
    for module in (gauges, timing):
        monkeypatch.setattr(module, "time", clock)
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
    gauge = Gauge(clock.work("g", 1000), known_s=1e-6)
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
    gauge = Gauge(clock.work("g", 1000), known_s=1e-6)
    (found,) = measure_interleaved([[clock.work("a", 1_000_000)]], gauge, Effort(budget_s=1.0, least_s=1.0))
    assert found.disagreement == pytest.approx(0.3)
    assert clock.monotonic() == pytest.approx(1.0, abs=0.1)


def test_bursts_wait_for_quiet_moments(clock: Clock) -> None:
    """Where five milliseconds in twenty-five are quiet, most calls fall into these."""
    noisy = clock.noisy_until(10**12, quiet=5_000_000, period=25_000_000)
    gauge = Gauge(noisy(clock.work("g", 1000)), known_s=1e-6)
    runs = [[noisy(clock.work(name, 100_000))] for name in "abcd"]
    for found in measure_interleaved(runs, gauge, Effort()):
        assert found.median_s == pytest.approx(1e-4)
        assert found.disagreement == 0.0


def test_a_lucky_reading_is_no_level(clock: Clock) -> None:
    """One that nothing confirms makes no noise of the rest."""
    gauge = Gauge(clock.work("g", 1000))
    for number in range(40):
        clock.slow = 0.7 if number == 20 else 1.0
        gauge.read()
    assert gauge.level_s == pytest.approx(1e-6)


def test_readings_crowd_at_the_level(clock: Clock) -> None:
    """A higher clock of rare moments and a neighbour that is there most of the time are both off the level."""
    gauge = Gauge(clock.work("g", 1_000_000))
    for number in range(400):
        neighbour = 1.35 + 0.01 * (number % 40)
        clock.slow = 1.0 if number % 20 == 0 else 1.08 if number % 3 == 0 else neighbour
        gauge.read()
    assert gauge.level_s == pytest.approx(1.08e-3)
    assert not gauge.is_quiet({"own": 1.0e-3})
    assert not gauge.is_quiet({"own": 1.35e-3})
    assert gauge.is_quiet({"own": 1.08e-3 * (1.0 + 0.9 * BAND)})


def test_the_level_follows_the_clock(clock: Clock) -> None:
    """A processor that clocks lower for good is quiet again soon; one that shares its core stays disturbed."""
    gauge = Gauge(clock.work("g", 1_000_000))
    for slow, level in ((1.0, 1.0), (1.15, 1.15), (1.1 * CLOCKS, 1.15)):
        clock.slow = slow
        for _ in range(KEPT):
            gauge.read()
        assert gauge.level_s == pytest.approx(level * 1e-3)


def test_a_moment_at_a_higher_clock_is_none_of_the_result(clock: Clock) -> None:
    """What a call takes is what it takes at the clock that the processor has most of the time."""
    work, reading = clock.work("a", 1_000_000), clock.work("g", 100_000)

    def clocked(run: Callable[[], None]) -> Callable[[], None]:
        def at_its_clock() -> None:
            clock.slow = 0.92 if clock.now % 100_000_000 < 10_000_000 else 1.0
            run()

        return at_its_clock

    (found,) = measure_interleaved([[clocked(work)]], Gauge(clocked(reading)), Effort(bursts=16))
    assert found.latency_s == pytest.approx(1e-3)


def test_a_clock_that_moves_is_taken_out(clock: Clock) -> None:
    """From 20 to 20 ms it is one per cent slower or faster: all bursts are quiet, and say the same."""

    def clocked(run: Callable[[], None]) -> Callable[[], None]:
        def at_its_clock() -> None:
            clock.slow = 0.99 if clock.now // 20_000_000 % 2 else 1.01
            run()

        return at_its_clock

    runs = [clocked(clock.work(name, each)) for name, each in (("g", 100_000), ("m", 200_000), ("a", 1_000_000))]
    (found,) = measure_interleaved([[runs[2]]], Gauge(runs[0], memory=runs[1]), Effort(bursts=16))
    assert found.latency_s == pytest.approx(10.0 * found.gauge_s, rel=2e-3)
    assert found.memory_s == pytest.approx(2.0 * found.gauge_s, rel=2e-3)
    assert found.disagreement < 2e-3


def test_what_a_burst_pushed_out_is_read_again(clock: Clock) -> None:
    """Memory that takes three times as long in the first calls after a burst counts by the next ones; a processor that
    is late isn't given a second chance."""
    late = {"g": 0, "m": 0}

    def work(name: str, each: int) -> Callable[[], None]:
        run = clock.work(name, each)

        def now_and_then() -> None:
            clock.slow = 3.0 if late[name] > 0 else 1.0
            late[name] -= 1
            run()

        return now_and_then

    gauge = Gauge(work("g", 100_000), memory=work("m", 200_000))
    for _ in range(200):
        gauge.read()
    for name, quiet in (("m", True), ("g", False)):
        late[name] = CALLS
        assert gauge.is_quiet(gauge.read_after()) is quiet
        late[name] = CALLS
        assert not gauge.is_quiet(gauge.read())


def shared(clock: Clock, name: str, each: int, noise: dict[str, float]) -> Callable[[], None]:
    """Work that takes longer by what its neighbours in memory make of it at the time."""

    def run() -> None:
        busy = (clock.now // 20_000_000) % 4 != 0
        clock.slow = 1.0 + (noise[name] * (0.5 + (clock.now // 700_000 % 11) / 11) if busy else 0.0)
        work()

    work = clock.work(name, each)
    return run


def test_neighbours_in_memory_are_waited_for(clock: Clock) -> None:
    """The processor's own work doesn't hear of them; work on memory does, and so does an item that reads much."""
    noise = {"own": 0.0, "memory": 0.3, "reads much": 0.3, "reads little": 0.0}
    gauge = Gauge(shared(clock, "own", 20_000, noise), memory=shared(clock, "memory", 40_000, noise))
    much, little = measure_interleaved(
        [[shared(clock, "reads much", 100_000, noise)], [shared(clock, "reads little", 100_000, noise)]],
        gauge,
        Effort(budget_s=5.0, least_s=5.0),
    )
    assert much.latency_s == pytest.approx(1e-4)
    assert much.disagreement == 0.0
    assert little.latency_s == pytest.approx(1e-4)
    assert little.calls <= much.calls


def test_a_process_begins_when_it_may(clock: Clock) -> None:
    """Where threads share a core no level can be told; a process waits for another moment, but not for ever."""
    gauge = Gauge(clock.work("g", 1000))
    gauge.may_begin = lambda: clock.now >= 3_000_000_000
    gauge.settle()
    assert clock.order[0] == "g"
    assert 3.0 < clock.monotonic() < 3.2
    gauge = Gauge(clock.work("g", 1000))
    gauge.may_begin = lambda: False
    start = clock.monotonic()
    gauge.settle()
    assert clock.monotonic() - start == pytest.approx(gauges.BEGIN_S, abs=0.2)


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


def test_a_disturbed_processor_makes_no_memory_look_faster(clock: Clock) -> None:
    """Memory is told at the processor's clock; while something else slows that down alone, its level stays."""
    busy = [1.0]

    def disturbed() -> None:
        clock.slow = busy[0]
        own()
        clock.slow = 1.0

    own = clock.work("own", 20_000)
    gauge = Gauge(disturbed, memory=clock.work("memory", 40_000))
    for busy[0] in (1.0, 1.2):
        for _ in range(300):
            gauge.read()
        assert gauge.levels["memory"].level_s == pytest.approx(4e-5)


def test_what_slows_calls_and_not_arithmetic_is_no_quiet_moment(clock: Clock) -> None:
    """A neighbour in a core's caches leaves arithmetic within 4 % and makes calls of a runtime 40 % longer."""
    slow = {"calls": 1.0}
    calls = clock.work("c", 40_000)
    gauge = Gauge(clock.work("g", 20_000), calls=lambda: [calls() for _ in range(int(10 * slow["calls"]))])
    for _ in range(200):
        gauge.read()
    assert gauge.is_quiet(gauge.read())
    assert gauge.is_cores(gauge.read())
    slow["calls"] = 1.4
    now = gauge.read()
    assert gauge.is_own(now)
    assert not gauge.is_cores(now)
    assert not gauge.is_quiet(now)


@pytest.mark.parametrize(("quiet_ms", "told_s"), [(4, 4e-5), (0, 0.0)])
def test_memory_is_told_of_moments_in_which_the_processor_is_undisturbed(
    clock: Clock, quiet_ms: int, told_s: float
) -> None:
    """Beside a slow processor it looks too fast, which most bursts may be; without any other it isn't known."""
    noisy = clock.noisy_until(10**12, quiet=quiet_ms * 1_000_000, period=20_000_000)

    def memory() -> None:
        clock.slow = 1.0
        reads()

    reads = clock.work("memory", 40_000)
    gauge = Gauge(noisy(clock.work("own", 20_000)), known_s=2e-5, memory=memory)
    effort = Effort(bursts=16, patience_s=1e-3, budget_s=2.0)
    (found,) = measure_interleaved([[noisy(clock.work("a", 1_000_000))]], gauge, effort)
    assert found.memory_s == pytest.approx(told_s)


def test_a_core_is_heard_where_it_is_quiet_in_some_moments(clock: Clock) -> None:
    """For a tenth of a second; a clock that is a fifth slower is no neighbour, and without a level nothing is heard."""
    gauge = Gauge(clock.work("own", 20_000), known_s=2e-5)
    for clock.slow, heard in ((1.0, True), (1.2, True), (1.5, False)):
        assert gauge.hears_quiet() == heard
    assert clock.monotonic() == pytest.approx(gauges.LISTEN_S, rel=0.01)
    assert Gauge(clock.work("own", 20_000)).hears_quiet()
    noisy = clock.noisy_until(10**12, quiet=1_000_000, period=30_000_000)
    assert Gauge(noisy(clock.work("own", 20_000)), known_s=2e-5).hears_quiet()
