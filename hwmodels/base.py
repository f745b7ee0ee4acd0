"""Cost, the CostModel and Profiler protocols, and what can go wrong when hardware is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from hwmodels.device import Device
from hwmodels.workload import Op, Workload


class HardwareModelError(Exception):
    """The hardware model could not answer."""


class UnsupportedOp(HardwareModelError):
    """The device has no figure for an operator, and none is made up."""


class MeasurementFailed(HardwareModelError):
    """The runtime crashed, hung or refused the operator or network."""


class MissingRuntime(HardwareModelError):
    """The runtime isn't installed where it is needed; the message names the extra that brings it."""


class Source(StrEnum):
    """Where a figure comes from."""

    MEASURED = "measured"
    LOOKED_UP = "looked up"
    MODELLED = "modelled"
    COUNTED = "counted"


@dataclass(frozen=True)
class Figure:
    """One number with its source; `error` is the relative half-width of its uncertainty (0.05 = 5 %)."""

    value: float
    source: Source
    error: float = 0.0

    @property
    def upper(self) -> float:
        """The value that a budget is held against."""
        return self.value * (1.0 + self.error)

    def to_json(self) -> dict[str, float | str]:
        return {"value": self.value, "source": str(self.source), "error": self.error}


@dataclass(frozen=True)
class OpCost:
    """One operator's share of a Cost."""

    name: str
    kind: str
    latency_s: float
    energy_j: float
    weight_bytes: int
    macs: int
    source: Source


METRICS: Mapping[str, str] = {
    "latency": "latency_s",
    "energy": "energy_j",
    "size": "file_bytes",
    "memory": "peak_bytes",
    "macs": "macs",
}
"""Names that users give limits by, and the Cost figure that each is held against."""


@dataclass(frozen=True)
class Cost:
    """What a network costs on a device: figures by name (latency_s, energy_j, weight_bytes, file_bytes,
    peak_bytes, macs), and per operator where the model knows."""

    figures: Mapping[str, Figure]
    per_op: tuple[OpCost, ...] = field(default=())

    def __getitem__(self, name: str) -> Figure:
        return self.figures[name]

    def to_json(self) -> dict[str, dict[str, float | str]]:
        return {name: figure.to_json() for name, figure in self.figures.items()}


@dataclass(frozen=True)
class Measurement:
    """What a call takes while nothing disturbs, and how far two halves of the calls disagree (relative).

    `energy_j` is what a meter of the machine read per call, whatever else it drew meanwhile included; 0 where it
    wasn't metered. `gauge_s` and `memory_s` are what the gauge's two works took then, which tell the processor's clock
    and how fast memory was read; 0 where that isn't known.
    """

    latency_s: float
    p10_s: float
    median_s: float
    calls: int
    disagreement: float
    energy_j: float = 0.0
    gauge_s: float = 0.0
    memory_s: float = 0.0


class CostModel(Protocol):
    """Estimates what a Workload costs on a Device; never a silent zero."""

    name: str

    def estimate(self, workload: Workload, device: Device) -> Cost:
        """Raises UnsupportedOp, naming the operator, where the device has no figure for it."""

    def op_cost(self, op: Op, device: Device) -> OpCost:
        """One operator on its own, cheap: for plans over thousands of recipes."""


class Profiler(Protocol):
    """Measures on a real runtime, in a process of its own, here or on another machine."""

    name: str

    @property
    def version(self) -> str:
        """Version of the runtime. Raises MissingRuntime."""

    @property
    def machine(self) -> str:
        """The machine that is measured on (`machine_key` there)."""

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """Times whole networks, in the form that the device wants them in (`Device.form`), all interleaved.

        Raises MeasurementFailed.
        """

    def glance(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """The same in about a second, with the error bar that this allows."""

    def close(self) -> None:
        """Ends the measuring process; the next request starts another."""
