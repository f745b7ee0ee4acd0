from __future__ import annotations

import os
import threading

import pytest

from hwmodels.profilers import cores
from hwmodels.profilers.cores import are_apart


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
