"""Cost model `whole`: latency of the whole network, measured when it is first asked for and kept by its structure.

For runtimes that don't tell which nodes they make of a network (compilers, accelerators). A network with other weights
is the same one; with other widths it is another, which costs a measurement. Single operators get a fitted latency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from hwmodels.base import Cost, Figure, HardwareModelError, Measurement, OpCost, Profiler, Source
from hwmodels.device import Device
from hwmodels.energy import op_energy_j
from hwmodels.fit import LatencyFit, fit_latency
from hwmodels.memory import peak_bytes, weight_bytes
from hwmodels.roofline import Roofline
from hwmodels.structure import structure, summary
from hwmodels.table import GAUGE, Row, Table, header_for
from hwmodels.workload import Op, Workload

PREFIX = "network "
"""Keys of whole networks begin with it."""

REPEATS = 0.04
"""Relative error of a measurement at the least, whatever its two halves say. Five processes, each compiling anew, came
within 1.0 to 3.3 % of their middle for four networks of 75 to 240 us (inductor)."""


class GaugedProfiler(Profiler, Protocol):
    """A profiler that knows what a fixed piece of work takes while nothing disturbs; 0 where not known yet."""

    gauge_s: float


class WholeModel:
    """Holds the Table that it fills. `fit` serves `op_cost` and is made by `learn`."""

    name = "whole"

    def __init__(self, table: Table, profiler: GaugedProfiler, fit: LatencyFit | None = None) -> None:
        """Raises BadTable for a table of another machine or runtime: its rows and ours aren't comparable."""
        table.check_source(profiler)
        self.table = table
        self.profiler = profiler
        self.fit = fit

    def estimate(self, workload: Workload, device: Device) -> Cost:
        """Figures latency_s (measured), energy_j (measured where a meter was read, else modelled), peak_bytes
        (modelled), weight_bytes and macs (counted). Operators get shares of the latency in a roofline's proportions.

        Raises HardwareModelError without a program, MeasurementFailed and UnsupportedOp.
        """
        modelled = Roofline().estimate(workload, device)  # refuses what the device lacks before anything is timed
        found = self._measured(workload, device)
        error = max(REPEATS, found.disagreement)
        per_op = _shares(modelled, workload, device, found.latency_s)
        energy = Figure(sum(part.energy_j for part in per_op), Source.MODELLED)
        if found.energy_j:
            energy = Figure(found.energy_j, Source.MEASURED, error)
        figures = {
            "latency_s": Figure(found.latency_s, Source.MEASURED, error),
            "energy_j": energy,
            "weight_bytes": Figure(sum(part.weight_bytes for part in per_op), Source.COUNTED),
            "peak_bytes": Figure(peak_bytes(workload, device), Source.MODELLED),
            "macs": Figure(workload.macs, Source.COUNTED),
        }
        return Cost(figures, per_op)

    def op_cost(self, op: Op, device: Device) -> OpCost:
        """One operator by the fitted latency of its kind. Raises HardwareModelError before `learn`."""
        if self.fit is None:
            raise HardwareModelError("single operators have no latency yet: call learn with a few workloads first")
        return _part(op, self.fit.op_latency_s(op), device)

    def learn(self, workloads: Sequence[Workload], device: Device) -> LatencyFit:
        """Fits the latency of single operators to what these networks take (widths that differ teach the most)."""
        totals = [(w.ops, self.estimate(w, device)["latency_s"].value) for w in workloads]
        self.fit = fit_latency(totals)
        return self.fit

    def _measured(self, workload: Workload, device: Device) -> Measurement:
        self.table.check_device(device)
        if workload.program is None:
            raise HardwareModelError(
                f"{device.id} is measured on a program, and this workload has none: lower it with its exported program"
            )
        text = structure(workload.program, device)
        key = network_key(text)
        if key not in self.table.rows:
            self._measure(key, text, workload.program, device)
        return self.table.rows[key]

    def _measure(self, key: str, text: str, program: bytes, device: Device) -> None:
        """Times the network, with the quiet moments that earlier processes knew of."""
        if GAUGE in self.table.rows:
            self.profiler.gauge_s = self.table.rows[GAUGE].latency_s
        (found,) = self.profiler.measure([program], device)
        self.table.add(key, summary(text), found)
        self.table.add_gauge(self.profiler.gauge_s)


def network_key(text: str) -> str:
    """The key of a network by the text of its structure (hwmodels/structure.py)."""
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()


def open_whole(
    device: Device,
    profiler: GaugedProfiler,
    rows: Iterable[Row] = (),
    on_measure: Callable[[dict[str, Any]], Row | None] | None = None,
) -> WholeModel:
    """A model from stored rows; `on_measure` is called with each row measured from now on."""
    header = header_for(device, profiler.version, profiler.machine)
    return WholeModel(Table.from_rows(header, rows, on_measure), profiler)


def _shares(modelled: Cost, workload: Workload, device: Device, latency_s: float) -> tuple[OpCost, ...]:
    """The operators with parts of the measured latency, as a model shares it out."""
    whole = modelled["latency_s"].value or 1.0
    return tuple(
        _part(op, part.latency_s / whole * latency_s, device) for op, part in zip(workload.ops, modelled.per_op)
    )


def _part(op: Op, latency_s: float, device: Device) -> OpCost:
    energy = op_energy_j(op, device) + device.static_power_w * latency_s
    return OpCost(op.name, op.kind, latency_s, energy, weight_bytes(op, device), op.macs, Source.MODELLED)
