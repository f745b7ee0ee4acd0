"""Which meter of energy a runtime's work shows on: one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hwmodels.meters.meter import Meter, NoMeter
from hwmodels.meters.nvml import Nvml
from hwmodels.meters.rapl import Rapl

CPU: Callable[[], Meter] = Rapl

METERS: Mapping[str, Callable[[], Meter]] = {
    "onnxruntime-cuda": Nvml,
}
"""Runtime -> the meter of what it runs on; all others run on the CPU."""


def meter_here(runtime: str = "") -> Meter | None:
    """The meter of this machine for what a runtime runs on (by default the CPU); None where there is none."""
    try:
        return METERS.get(runtime, CPU)()
    except NoMeter:
        return None


def describe(runtime: str = "") -> str:
    """What is metered here, or why nothing is."""
    try:
        return METERS.get(runtime, CPU)().describe()
    except NoMeter as error:
        return f"no meter: {error}"
