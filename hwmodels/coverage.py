"""What a table covers: its operators and how far they can be trusted, and what a network would need of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.imported import ImportedModel
from hwmodels.lookup import LookupModel
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.signature import op_signature
from hwmodels.table import GAUGE, OVERHEAD, Table
from hwmodels.whole import PREFIX
from hwmodels.workload import Workload


@dataclass(frozen=True)
class Extent:
    """A table in short.

    Attributes:
        operators: type -> rows. networks: rows of whole networks. noise_floor: what nine rows of ten repeat within.
        age_s: since the table was begun; 0 where that isn't known. calibration: how right its sums are, without the
            factors; None where it wasn't calibrated.
    """

    operators: Mapping[str, int]
    networks: int
    noise_floor: float
    age_s: float
    calibration: Mapping[str, Any] | None


@dataclass(frozen=True)
class Missing:
    """An operator without a row: its name in the network, its type, and what would be timed."""

    name: str
    type: str
    signature: str


@dataclass(frozen=True)
class Coverage:
    """What a table has of a network: `operators` in all, those `missing` (each signature once), and the `share` of the
    network's time that comes from measured rows, a missing operator taken for a usual one of its type."""

    operators: int
    missing: tuple[Missing, ...]
    share: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"missing": [asdict(entry) for entry in self.missing]}


def extent(table: Table, calibration: Calibration | None = None, now: datetime | None = None) -> Extent:
    """What a table holds."""
    keys = [key for key in table.rows if key not in (OVERHEAD, GAUGE)]
    networks = sum(key.startswith(PREFIX) for key in keys)
    kinds = Counter(_kind(table.signatures.get(key) or key) for key in keys if not key.startswith(PREFIX))
    created = table.header.created
    age = (now or datetime.now(UTC)) - datetime.fromisoformat(created) if created else None
    kept = None if calibration is None else calibration.to_json()
    about = None if kept is None else {name: value for name, value in kept.items() if name != "factors"}
    seconds = 0.0 if age is None else age.total_seconds()
    return Extent(dict(kinds.most_common()), networks, table.noise_floor, seconds, about)


def coverage(model: LookupModel | ImportedModel, network: Workload | bytes, device: Device) -> Coverage:
    """What the model's table has of a network; nothing is measured.

    A runtime's table needs its program, an imported one its operators. Raises HardwareModelError.
    """
    workload = network if isinstance(network, Workload) else Workload((), program=network)
    if isinstance(model, ImportedModel):
        return _of_operators(model, workload)
    nodes = model.profiler.nodes(workload.program or b"", device, ())
    missing = {node.key: node for node in nodes if node.key not in model.table.rows}
    named = tuple(Missing(node.name, node.op_type, node.signature) for node in missing.values())
    return Coverage(len(nodes), named, _share(model, nodes))


def _of_operators(model: ImportedModel, workload: Workload) -> Coverage:
    """By multiply-accumulates and elements, as nothing else is known of an operator without a row."""
    lacking = model.missing(workload)
    texts = {op_signature(op) for op in lacking}
    sizes = [(op.macs + sum(t.elements for t in op.outputs), op_signature(op) in texts) for op in workload.ops]
    total = sum(size for size, _ in sizes) or 1
    named = tuple(Missing(op.name, op.kind, op_signature(op)) for op in lacking)
    return Coverage(len(workload.ops), named, sum(size for size, lacks in sizes if not lacks) / total)


def _share(model: LookupModel, nodes: Sequence[RuntimeNode]) -> float:
    known = [(node, model.share_s(node)) for node in nodes if node.key in model.table.rows]
    seconds = sum(share for _, share in known)
    usual = _usual(model.table)
    unknown = sum(usual.get(node.op_type, usual[""]) for node in nodes if node.key not in model.table.rows)
    return seconds / (seconds + unknown) if seconds + unknown else float(not nodes)


def _usual(table: Table) -> dict[str, float]:
    """The median latency of the rows of each type; of all of them under the empty name."""
    found: dict[str, list[float]] = {"": []}
    for key, row in table.rows.items():
        if key not in (OVERHEAD, GAUGE) and not key.startswith(PREFIX):
            found.setdefault(_kind(table.signatures.get(key, "")), []).append(row.latency_s)
            found[""].append(row.latency_s)
    return {kind: median(rows) if rows else 1.0 for kind, rows in found.items()}


def _kind(signature: str) -> str:
    """The operator at the head of a signature: a runtime's `Gemm(...`, or our own `conv out=...`."""
    return signature.partition("(")[0].partition(" ")[0]
