from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hwmodels.profilers import cores
from hwmodels.profilers.cores import are_apart, best_cores, one_core


@pytest.mark.parametrize(("together_s", "apart"), [(1.05e-3, True), (1.4e-3, False), (2e-3, False)])
def test_cores_that_slow_each_other_are_halves_of_one(
    monkeypatch: pytest.MonkeyPatch, together_s: float, apart: bool
) -> None:
    """Alone work takes a millisecond; beside other work on another core as long, or much longer."""
    times = iter([1e-3, together_s])
    monkeypatch.setattr(cores, "_mean_s", lambda matrix: next(times))
    assert are_apart() is apart


def test_telling_leaves_nothing_behind() -> None:
    """No thread goes on working, and this one may run where it could before."""
    allowed = os.sched_getaffinity(0)
    before = threading.active_count()
    are_apart()
    assert threading.active_count() == before
    assert os.sched_getaffinity(0) == allowed


def test_the_cores_with_the_highest_clock_are_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of cores that are equally fast the last one first; one whose clock isn't told counts as the slowest."""
    monkeypatch.setattr(cores, "_CORES", tmp_path)
    assert best_cores({0, 2, 1}) == [2, 1, 0]
    for core, clock in ((0, "3000000"), (1, "4200000"), (2, "4200000"), (3, "what?")):
        (tmp_path / f"cpu{core}" / "cpufreq").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "cpufreq" / "cpuinfo_max_freq").write_text(clock)
    assert best_cores({0, 1, 2, 3}) == [2, 1]
    assert best_cores({0, 1, 3}) == [1]
    assert best_cores({0, 3}) == [0]


def test_all_threads_stay_on_one_core_for_a_while() -> None:
    """Those that run already too; afterwards they may go where they could before, whatever happened."""
    allowed, done = os.sched_getaffinity(0), threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    inside = set()

    def fails() -> None:
        with one_core():
            inside.update(frozenset(os.sched_getaffinity(thread)) for thread in (0, other.native_id or 0))
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            fails()
        assert inside == {frozenset({best_cores(allowed)[0]})}
        assert {frozenset(os.sched_getaffinity(thread)) for thread in (0, other.native_id or 0)} == {frozenset(allowed)}
    finally:
        done.set()
        other.join()


@pytest.mark.parametrize(
    ("quiet", "moves"), [({7, 6}, [7]), ({6, 5}, [7, 6]), ({3}, [7, 6, 5, 4, 7]), (set(), [7, 6, 5, 4, 7])]
)
def test_a_core_that_is_never_quiet_gives_way_to_one_that_is(
    quiet: set[int], moves: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked on the core in question; where none of the first four is quiet it is the usual one."""
    where: list[set[int]] = []
    allowed = set(range(8))
    monkeypatch.setattr(cores, "_move", where.append)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: allowed)
    monkeypatch.setattr(cores, "_highest_clock", lambda _: 0)
    with one_core(lambda: where[-1] <= quiet):
        assert where == [{core} for core in moves]
    assert where[-1] == allowed
