from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hwmodels.base import HardwareModelError, Measurement
from hwmodels.basis import Basis, usual_basis
from hwmodels.profilers.gauge import SWEEP_BYTES

ROW = Measurement(100e-6, 101e-6, 102e-6, 40, 0.001, gauge_s=15e-6, memory_s=45e-6)
"""Measured at a clock at which the gauge's work takes 15 us and reading memory 45."""


def test_a_slower_clock_makes_everything_slower() -> None:
    """At a clock a tenth lower all takes a tenth longer; memory, three gauges long in both, is the same thing then."""
    assert Basis(16.5e-6, 49.5e-6).latency_s(ROW) == pytest.approx(110e-6)
    assert Basis(16.5e-6, 49.5e-6).latency_s(ROW, SWEEP_BYTES) == pytest.approx(110e-6)


def test_slower_memory_makes_what_is_read_slower() -> None:
    """Half as much read as the gauge reads takes 22.5 of the 100 us, and a tenth longer where the gauge's does; what is
    read nearer by takes what it took."""
    slow = Basis(15e-6, 49.5e-6)
    assert slow.latency_s(ROW, SWEEP_BYTES / 2) == pytest.approx(102.25e-6)
    assert slow.latency_s(ROW) == pytest.approx(100e-6)


def test_no_more_than_most_of_a_latency_waits_for_memory() -> None:
    """However many bytes are counted."""
    assert Basis(15e-6, 90e-6).latency_s(ROW, 100 * SWEEP_BYTES) == pytest.approx(190e-6)


def test_clock_and_memory_are_told_apart() -> None:
    """Twice the clock, with memory that takes as long as before: of 100 us 45 are reading and stay, 55 are halved."""
    assert Basis(7.5e-6, 45e-6).latency_s(ROW, SWEEP_BYTES) == pytest.approx(72.5e-6)


@pytest.mark.parametrize(
    ("basis", "row"),
    [(Basis(), ROW), (Basis(15e-6, 45e-6), replace(ROW, gauge_s=0.0)), (Basis(15e-6, 45e-6), ROW)],
)
def test_what_isnt_known_is_taken_as_measured(basis: Basis, row: Measurement) -> None:
    """Without a clock on either side, and where nothing has changed."""
    assert basis.latency_s(row, 1e6) == pytest.approx(100e-6)


def test_the_usual_basis_is_that_of_most_rows() -> None:
    """The median clock, and of memory the median in gauges; rows of which the clock isn't known don't count, and where
    memory isn't known it stays so."""
    rows = [replace(ROW, gauge_s=g, memory_s=m) for g, m in ((14e-6, 42e-6), (15e-6, 48e-6), (16e-6, 48e-6))]
    found = usual_basis([*rows, replace(ROW, gauge_s=0.0)])
    assert (found.gauge_s, found.memory_s) == pytest.approx((15e-6, 45e-6))
    assert usual_basis([replace(ROW, gauge_s=0.0)]) == Basis()
    assert usual_basis([replace(row, memory_s=0.0) for row in rows]) == Basis(15e-6)


def test_json_gives_the_same_basis_back() -> None:
    """What is stored is read again without loss."""
    basis = Basis(15e-6, 45e-6, 2.0)
    assert Basis.from_json(basis.to_json()) == basis


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "exactly gauge_s, memory_s, near_mb"),
        ({"gauge_s": 1e-6}, "exactly"),
        (Basis().to_json() | {"gauge_s": -1.0}, "gauge_s is -1.0"),
        (Basis().to_json() | {"memory_s": float("inf")}, "memory_s is inf"),
        (Basis().to_json() | {"near_mb": True}, "near_mb is True"),
    ],
)
def test_impossible_bases_are_refused(data: Any, said: str) -> None:
    """The message names what is wrong."""
    with pytest.raises(HardwareModelError, match=said):
        Basis.from_json(data)
