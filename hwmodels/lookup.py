"""Cost model `lookup`: latency as the sum of what the runtime's own nodes take, each measured once and kept.

The runtime first optimises the network itself; its nodes, layout changes included, are looked up by signature in the
device's Table, and those that aren't there are measured on demand. The cost of a call is taken off each node and added
once. The way of nn-Meter (Zhang et al., MobiSys 2021), with the runtime's own graph in place of fusion rules. A
Calibration stretches the parts so that they add up to whole networks, and says how right the sum is; rows are put to
its Basis first, the clock and the memory of the machine when it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from hwmodels.attribution import attribute
from hwmodels.base import Cost, Figure, HardwareModelError, OpCost, Source
from hwmodels.basis import Basis
from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.energy import op_energy_j
from hwmodels.fit import LatencyFit, fit_latency, samples
from hwmodels.memory import peak_bytes, weight_bytes
from hwmodels.parts import BEYOND, beyond, is_heavy, part_of
from hwmodels.profilers.runtime_node import SWEPT, NodeProfiler, RuntimeNode, key_of
from hwmodels.sums import CALL, call_s, shares_s
from hwmodels.table import GAUGE, OVERHEAD, Row, Table, header_for
from hwmodels.workload import Op, Workload

MODEL_ERROR = 0.05
"""Relative error of a sum of nodes against the network itself where there is no calibration. On average it is 1 % for
networks of 0.1 to 3 ms (benchmarks/table_error.py) and more for recipes of 20 to 100 us (benchmarks/recipes_error.py),
where it is mostly a bias that two versions of one network share."""

MEMORY = "memory"
"""Name of the entry of `Cost.per_op` for what a network pays because its weights exceed large caches."""


class LookupModel:
    """Holds the Table that it fills. `fit` serves `op_cost` and is made by `learn`.

    `calibration` belongs to the table; without one parts are added up as they are.
    """

    name = "lookup"

    def __init__(
        self,
        table: Table,
        profiler: NodeProfiler,
        fit: LatencyFit | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Raises BadTable for a table of another machine or runtime: its rows and ours wouldn't add up."""
        table.check_source(profiler)
        self.table = table
        self.profiler = profiler
        self.fit = fit
        self.calibration = calibration

    def estimate(self, workload: Workload, device: Device) -> Cost:
        """Figures latency_s (looked up), energy_j and peak_bytes (modelled), weight_bytes and macs (counted).

        The error of latency_s is the calibration's margin (without one, that of the model as such), or how far the
        measurements of its nodes disagree where that is more.
        Raises HardwareModelError without a program, MeasurementFailed and UnsupportedOp, naming the node.
        """
        nodes = self.look_up(workload, device)
        first_s = self._factor(CALL) * call_s(self.table, self.basis)
        shares = [self._factor(part_of(node)) * s for node, s in zip(nodes, shares_s(self.table, nodes, self.basis))]
        memory_s = sum(self._factor(part) * seconds for part, seconds in beyond(nodes).items())
        per_op = self._per_op(workload, nodes, first_s, shares, device)
        if memory_s:
            per_op += (OpCost(MEMORY, MEMORY, memory_s, 0.0, 0, 0, Source.LOOKED_UP),)
        latency = first_s + sum(shares) + memory_s
        figures = {
            "latency_s": Figure(latency, Source.LOOKED_UP, self._error(nodes)),
            "energy_j": Figure(sum(part.energy_j for part in per_op), Source.MODELLED),
            "weight_bytes": Figure(sum(part.weight_bytes for part in per_op), Source.COUNTED),
            "peak_bytes": Figure(peak_bytes(workload, device), Source.MODELLED),
            "macs": Figure(workload.macs, Source.COUNTED),
        }
        return Cost(figures, per_op)

    def op_cost(self, op: Op, device: Device) -> OpCost:
        """One operator by the fitted latency of its kind. Raises HardwareModelError before `learn`."""
        if self.fit is None:
            raise HardwareModelError("single operators have no latency yet: call learn with a few workloads first")
        return _op_cost(op, self.fit.op_latency_s(op), device, Source.MODELLED)

    def learn(self, workloads: Sequence[Workload], device: Device) -> LatencyFit:
        """Fits the latency of single operators to what these workloads cost (widths that differ teach the most)."""
        costs = [self.estimate(workload, device) for workload in workloads]
        totals = [(workload.ops, cost["latency_s"].value) for workload, cost in zip(workloads, costs)]
        parts = [pair for workload, cost in zip(workloads, costs) for pair in samples(workload, cost)]
        self.fit = fit_latency(totals, parts, self._factor(CALL) * call_s(self.table, self.basis))
        return self.fit

    @property
    def basis(self) -> Basis:
        """What estimates are for: the calibration's; without one rows are taken as they were measured."""
        return self.calibration.basis if self.calibration else Basis()

    def look_up(self, workload: Workload, device: Device) -> list[RuntimeNode]:
        """The runtime's nodes, with a row in the table for each: those that it lacks are measured now.

        What was disturbed is measured again after a pause, unless whoever fills the table comes back to it (`profile`).
        """
        self.table.check_device(device)
        if workload.program is None:
            raise HardwareModelError(
                f"{device.id} is measured on a program, and this workload has none: lower it with its exported ONNX"
            )
        if OVERHEAD not in self.table.rows or GAUGE not in self.table.rows:
            self.table.add(OVERHEAD, "an empty call", self.profiler.measure_itself(device))
            self.table.add_gauge(self.profiler.gauge_s)
        self.profiler.gauge_s = self.table.rows[GAUGE].latency_s
        self.profiler.call_s = self.table.rows[OVERHEAD].latency_s
        nodes = self.profiler.nodes(workload.program, device, self._known())
        new = [node for node in nodes if node.model]
        wanted = [*new, *(node.swept() for node in new if is_heavy(node))]
        self._fill([node for node in wanted if node.key not in self.table.rows], device)
        return nodes

    def _fill(self, missing: list[RuntimeNode], device: Device) -> None:
        """Measures nodes; those that were disturbed again after a pause."""
        disturbed = self.table.disturbed
        while missing:
            for node, measurement in zip(missing, self.profiler.measure_nodes(missing, device)):
                self.table.offer(node.key, node.signature, measurement)
            missing = [] if disturbed.later else [node for node in missing if node.key in disturbed]
            if missing:
                disturbed.pause()

    def _known(self) -> Collection[str]:
        """Keys of rows that nothing is to be measured for: not those of nodes whose swept row is held back."""
        held = self.table.disturbed.held
        if not held:
            return self.table.rows.keys()
        waiting = {key for key, text in self.table.signatures.items() if key_of(text + SWEPT) in held}
        return self.table.rows.keys() - waiting

    def _error(self, nodes: Sequence[RuntimeNode]) -> float:
        """Half-width of the error bar: that of sums of nodes, or the rows' noise where that is more."""
        own = MODEL_ERROR if self.calibration is None else self.calibration.margin
        return max(own, self._noise(nodes))

    def _factor(self, part: str) -> float:
        if self.calibration is None:
            return 0.0 if part.startswith(BEYOND) else 1.0
        return self.calibration.factor(part)

    def _noise(self, nodes: Sequence[RuntimeNode]) -> float:
        """Disagreement of the rows that were used, weighted by their latency: the same whatever else was measured."""
        rows = [self.table.row(node.key) for node in nodes]
        return sum(row.latency_s * row.disagreement for row in rows) / (sum(row.latency_s for row in rows) or 1.0)

    def _per_op(
        self,
        workload: Workload,
        nodes: Sequence[RuntimeNode],
        first_s: float,
        shares: Sequence[float],
        device: Device,
    ) -> tuple[OpCost, ...]:
        """The call, our operators with their nodes' time, then the nodes that belong to none of them."""
        latency: dict[str, float] = {}
        parts = [OpCost(CALL, CALL, first_s, 0.0, 0, 0, Source.LOOKED_UP)]
        for node, share, op in zip(nodes, shares, attribute([node.name for node in nodes], workload.ops)):
            if op is None:
                parts.append(OpCost(node.name, node.op_type, share, 0.0, 0, 0, Source.LOOKED_UP))
            else:
                latency[op.name] = latency.get(op.name, 0.0) + share
        known = (_op_cost(op, latency.get(op.name, 0.0), device, Source.LOOKED_UP) for op in workload.ops)
        return (parts[0], *known, *parts[1:])


def open_lookup(
    device: Device,
    profiler: NodeProfiler,
    rows: Iterable[Row] = (),
    on_measure: Callable[[dict[str, Any]], Row | None] | None = None,
    calibration: Calibration | None = None,
) -> LookupModel:
    """A lookup model from stored rows and, where there is one, the calibration that belongs to them.

    `on_measure` is called with each row measured from now on.
    """
    header = header_for(device, profiler.version, profiler.machine)
    return LookupModel(Table.from_rows(header, rows, on_measure), profiler, calibration=calibration)


def _op_cost(op: Op, latency_s: float, device: Device, source: Source) -> OpCost:
    energy = op_energy_j(op, device) + device.static_power_w * latency_s
    return OpCost(op.name, op.kind, latency_s, energy, weight_bytes(op, device), op.macs, source)
