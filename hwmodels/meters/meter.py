"""Meter: a counter of joules that a machine offers, and joules per call read off it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from hwmodels.base import HardwareModelError, Measurement


class NoMeter(HardwareModelError):
    """There is no such meter here, or it can't be read; the message says which and why."""


class Meter(Protocol):
    """Counts what a part of the machine draws, whoever makes it work: idle power and other programs included.

    `burst_s` is how long to run so that the counter's own steps are lost in the sum.
    """

    name: str
    burst_s: float

    def read_j(self) -> float:
        """Joules since an arbitrary moment: differences count. Raises NoMeter where it can't be read any more."""

    def describe(self) -> str:
        """What is metered, for people."""


def joules_per_call(meter: Meter, run: Callable[[], object]) -> float:
    """Joules of one call, averaged over calls back to back for `burst_s`. Nothing is taken off for an idle machine."""
    calls, start_j, until = 0, meter.read_j(), time.perf_counter() + meter.burst_s
    while calls == 0 or time.perf_counter() < until:
        run()
        calls += 1
    return (meter.read_j() - start_j) / calls


def with_energy(
    found: Sequence[Measurement], runs: Sequence[Callable[[], object]], meter: Meter | None
) -> list[Measurement]:
    """The measurements with the joules of a call of each; as they are where there is no meter."""
    if meter is None:
        return list(found)
    return [replace(m, energy_j=max(0.0, joules_per_call(meter, run))) for m, run in zip(found, runs, strict=True)]
