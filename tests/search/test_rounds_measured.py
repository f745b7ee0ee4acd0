"""A table that is too fast, and a stopwatch that says so: the search goes on and ends within the limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from examples.networks import DigitsCNN
from examples.train import train
from hwmodels.base import Measurement, Profiler
from hwmodels.device import Device
from hwmodels.table import GAUGE, OVERHEAD
from methods.graph.file import write
from methods.graph.intake.capture import capture
from methods.graph.load import load_graph
from methods.graph.program import program_for
from search.context import open_context
from search.data import load_dataset
from search.devices import open_hardware
from search.run import run_search
from search.splits import split

DEVICE = "local-onnxruntime"
SECONDS = ("latency_s", "p10_s", "median_s")

TOO_FAST = 0.45
"""Sums of nodes without a calibration are up to a tenth too high on some processors, and more in noise: less might not
show."""


class TooFast:
    """Makes operators' rows what they would be had the machine been faster when its table was made. The call that is
    timed with each takes what it takes: on a fast processor it is more than half of a row."""

    def __init__(self) -> None:
        self.call_s = 0.0

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        if row["key"] == OVERHEAD:
            self.call_s = row["latency_s"]
        if row["key"] in (GAUGE, OVERHEAD):
            return row
        own_s = max(0.0, row["latency_s"] - self.call_s)
        return row | {"latency_s": row["latency_s"] - (1.0 - TOO_FAST) * own_s}


class Stopwatch(Profiler):
    """Real measurements, each run put to the speed that the untouched network, its first, had at the beginning: a
    machine whose neighbours come and go is up to twice as slow a minute later, and so says nothing of a fixed limit."""

    def __init__(self, profiler: Profiler, untouched: bytes, device: Device) -> None:
        self.name, self.profiler, self.untouched = profiler.name, profiler, untouched
        (self.first,) = profiler.measure([untouched], device)

    @property
    def version(self) -> str:
        return self.profiler.version

    @property
    def machine(self) -> str:
        return self.profiler.machine

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        return self.as_at_first(programs, self.profiler.measure(programs, device))

    def glance(self, programs: list[bytes], device: Device) -> list[Measurement]:
        return self.as_at_first(programs, self.profiler.glance(programs, device))

    def as_at_first(self, programs: list[bytes], found: list[Measurement]) -> list[Measurement]:
        assert programs[0] == self.untouched
        ratio = self.first.latency_s / found[0].latency_s
        return [replace(one, **{name: ratio * getattr(one, name) for name in SECONDS}) for one in found]

    def close(self) -> None:
        self.profiler.close()


@pytest.fixture(scope="module")
def wide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that computes for longer than its calls take, so that there is room below its latency."""
    torch.manual_seed(0)
    model = DigitsCNN(width=48)
    train(model, split(load_dataset("digits"), 0).train, 4, 0)
    path = tmp_path_factory.mktemp("model") / "wide.fwm"
    write(capture(model, torch.zeros(1, 1, 8, 8)), path)
    return path


@pytest.mark.slow
def test_what_the_stopwatch_finds_tightens_the_limit(wide_file: Path, tmp_path: Path) -> None:
    """Operators that are too fast by half let the first finalists break the limit; later ones keep it."""
    opened = open_hardware(DEVICE, (), TooFast())
    assert opened.profiler is not None
    stopwatch = Stopwatch(opened.profiler, program_for(load_graph(wide_file), opened.device), opened.device)
    request: dict[str, Any] = {"device": DEVICE, "dataset": "digits", "seed": 0, "evaluations": 16, "strategy": "plan"}
    request |= {
        "limits": {"latency": f"{0.92 * stopwatch.first.latency_s * 1e9:.0f}ns"},
        "methods": ["channel-pruning"],
    }
    hardware = replace(opened, profiler=stopwatch)
    outcome = run_search(
        open_context(request | {"recovery_epochs": 1}, wide_file, "digits", hardware), tmp_path / "bundle"
    )
    stopwatch.close()
    assert outcome["rounds"], outcome["finalists"]
    assert "slower than estimated" in outcome["rounds"][0]["reason"]
    assert outcome["outcome"] == "feasible", outcome["reason"]
    assert outcome["limits"][0]["achieved"] <= outcome["limits"][0]["value"]
