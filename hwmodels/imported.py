"""Cost model `imported`: latency as the sum of a table's rows by our own operators, for devices that nothing can time.

A row holds one operator alone, under its signature (hwmodels/signature.py); a row `overhead`, where there is one, is
what a call costs, added once. Between two widths of one operator the next wider row counts: kernels work on blocks of
channels, so that latency climbs in steps. Nothing is ever extrapolated, and an operator without a row is refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from hwmodels.base import Cost, Figure, Measurement, OpCost, Source, UnsupportedOp
from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.energy import op_energy_j
from hwmodels.memory import peak_bytes, weight_bytes
from hwmodels.signature import read_signature, signature_of
from hwmodels.table import OVERHEAD, BadTable, Row, Table, header_for
from hwmodels.workload import Op, Workload

IMPORT_ERROR = 0.10
"""Relative error of a sum of operators that somebody else measured, where nothing better is known."""

NAMED = 5
"""Missing operators that a refusal names."""


class ImportedModel:
    """Looks operators up in a table; it measures nothing, so `table` never grows."""

    name = "imported"

    def __init__(self, table: Table, calibration: Calibration | None = None) -> None:
        """Raises BadTable for two rows of one signature."""
        self.table = table
        self.calibration = calibration
        self._widths: dict[str, dict[int, Measurement]] = {}
        for key, row in table.rows.items():
            found = read_signature(table.signatures.get(key) or key)
            if found.width in self._widths.setdefault(found.pattern, {}):
                raise BadTable(f"there are two rows for {found.text}; each operator has one")
            self._widths[found.pattern][found.width] = row

    def estimate(self, workload: Workload, device: Device) -> Cost:
        """Figures latency_s (looked up), energy_j and peak_bytes (modelled), weight_bytes and macs (counted).

        Raises UnsupportedOp, naming the operators that the table lacks and what they would need.
        """
        self._check(device)
        missing = self.missing(workload)
        if missing:
            raise UnsupportedOp(self._lacks(missing))
        per_op = tuple(self.op_cost(op, device) for op in workload.ops)
        rows = [self._row(op) for op in workload.ops]
        total = sum(row.latency_s for row in rows) or 1.0
        noise = sum(row.latency_s * row.disagreement for row in rows) / total
        own = IMPORT_ERROR if self.calibration is None else self.calibration.margin
        call = self.table.rows[OVERHEAD].latency_s if OVERHEAD in self.table.rows else 0.0
        latency = self._factor("call") * call + sum(part.latency_s for part in per_op)
        figures = {
            "latency_s": Figure(latency, Source.LOOKED_UP, max(own, noise)),
            "energy_j": Figure(sum(part.energy_j for part in per_op), Source.MODELLED),
            "weight_bytes": Figure(sum(part.weight_bytes for part in per_op), Source.COUNTED),
            "peak_bytes": Figure(peak_bytes(workload, device), Source.MODELLED),
            "macs": Figure(workload.macs, Source.COUNTED),
        }
        return Cost(figures, per_op)

    def op_cost(self, op: Op, device: Device) -> OpCost:
        """One operator. Raises UnsupportedOp where the table lacks it."""
        latency = self._factor(op.kind) * self._row(op).latency_s
        energy = op_energy_j(op, device) + device.static_power_w * latency
        return OpCost(op.name, op.kind, latency, energy, weight_bytes(op, device), op.macs, Source.LOOKED_UP)

    def missing(self, workload: Workload) -> list[Op]:
        """The operators that the table has no row for, each signature once."""
        found: dict[str, Op] = {}
        for op in workload.ops:
            if self._find(op) is None:
                found.setdefault(signature_of(op).text, op)
        return list(found.values())

    def _row(self, op: Op) -> Measurement:
        row = self._find(op)
        if row is None:
            raise UnsupportedOp(self._lacks([op]))
        return row

    def _find(self, op: Op) -> Measurement | None:
        """The row of this width, or of the next wider one where there is a narrower one too."""
        wanted = signature_of(op)
        rows = self._widths.get(wanted.pattern, {})
        if wanted.width in rows:
            return rows[wanted.width]
        widths = sorted(rows)
        place = bisect_left(widths, wanted.width)
        return rows[widths[place]] if 0 < place < len(widths) else None

    def _lacks(self, ops: Sequence[Op]) -> str:
        """What is missing, by name: a signature altogether, or widths on one side."""
        words = [f"{op.name} ({self._needs(op)})" for op in ops[:NAMED]]
        more = f" and {len(ops) - NAMED} more" if len(ops) > NAMED else ""
        device = self.table.header.device
        return f"the table of {device} lacks {'; '.join(words)}{more}: add these rows and import it again"

    def _needs(self, op: Op) -> str:
        wanted = signature_of(op)
        widths = sorted(self._widths.get(wanted.pattern, {}))
        if not widths:
            return wanted.text
        between = f"{widths[0]} to {widths[-1]}" if len(widths) > 1 else str(widths[0])
        return f"{wanted.text}: it has widths {between}, and nothing is extrapolated"

    def _factor(self, kind: str) -> float:
        return 1.0 if self.calibration is None else self.calibration.factor(kind)

    def _check(self, device: Device) -> None:
        header = self.table.header
        here, there = (device.id, device.threads, device.batch), (header.device, header.threads, header.batch)
        if here != there:
            raise BadTable(f"the table is for (device, threads, batch) {there}, asked for {here}")


def open_imported(device: Device, rows: Iterable[Row] = (), calibration: Calibration | None = None) -> ImportedModel:
    """The model of a device whose table came from elsewhere. Raises BadTable."""
    return ImportedModel(Table.from_rows(header_for(device, "", ""), rows), calibration)
