"""Where the energy goes: arithmetic, each memory, and what a device draws whatever it does.

The parts of a network sum to the `energy_j` of the cost model, and the parts of an operator to its share, because both
come from the same counts (hwmodels/energy.py). Sparse weights count as the device handles them: what it gates costs no
arithmetic and no register reads, what it compresses moves fewer bits through the outermost memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwmodels.base import Cost, HardwareModelError, Source
from hwmodels.device import Device
from hwmodels.energy import op_energy_parts
from hwmodels.workload import Op, Workload

ARITHMETIC, STATIC = "arithmetic", "static"
"""Names of the parts that are no memory."""

Parts = Mapping[str, float]
"""Joules by the name of a part, from the arithmetic outwards."""


def level_names(device: Device) -> tuple[str, ...]:
    """The parts that a device's energy has, in order."""
    return (ARITHMETIC, *(memory.name for memory in device.memories), STATIC)


def op_levels(op: Op, device: Device, latency_s: float) -> dict[str, float]:
    """One operator's energy by part; `latency_s` is what it takes, as the cost model has it. Raises UnsupportedOp."""
    static_j = device.static_power_w * latency_s
    return dict(zip(level_names(device), (*op_energy_parts(op, device), static_j), strict=True))


def energy_levels(workload: Workload, device: Device, latency_s: Mapping[str, float]) -> dict[str, float]:
    """A network's energy by part; `latency_s` by operator (`latencies` of a Cost). Raises UnsupportedOp."""
    total = dict.fromkeys(level_names(device), 0.0)
    for parts in per_op_levels(workload, device, latency_s).values():
        for name, joules in parts.items():
            total[name] += joules
    return total


def per_op_levels(workload: Workload, device: Device, latency_s: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The same, operator by operator. Raises UnsupportedOp."""
    return {op.name: op_levels(op, device, latency_s.get(op.name, 0.0)) for op in workload.ops}


def latencies(cost: Cost) -> dict[str, float]:
    """Operator -> seconds, of a Cost. Raises HardwareModelError where its energy was metered: that has no parts."""
    figure = cost.figures.get("energy_j")
    if figure is not None and figure.source is Source.MEASURED:
        raise HardwareModelError("this energy was read off a meter, which doesn't say where it went; model it instead")
    found: dict[str, float] = {}
    for part in cost.per_op:
        found[part.name] = found.get(part.name, 0.0) + part.latency_s
    return found
