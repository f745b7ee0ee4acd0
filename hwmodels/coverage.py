"""What a table covers of a network, and which of its operators it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from hwmodels.device import Device
from hwmodels.imported import ImportedModel
from hwmodels.lookup import LookupModel
from hwmodels.profilers.runtime_node import SWEPT, RuntimeNode
from hwmodels.signature import op_signature
from hwmodels.sums import shares_s
from hwmodels.table import GAUGE, OVERHEAD, Table
from hwmodels.whole import PREFIX
from hwmodels.workload import Workload


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
    seconds = sum(shares_s(model.table, [node for node in nodes if node.key in model.table.rows], model.basis))
    usual = _usual(model.table)
    unknown = sum(usual.get(node.op_type, usual[""]) for node in nodes if node.key not in model.table.rows)
    return seconds / (seconds + unknown) if seconds + unknown else float(not nodes)


def _usual(table: Table) -> dict[str, float]:
    """The median latency of the rows of each type, swept ones left out; of all of them under the empty name."""
    found: dict[str, list[float]] = {"": []}
    for key, row in table.rows.items():
        signature = table.signatures.get(key, "")
        if key not in (OVERHEAD, GAUGE) and not key.startswith(PREFIX) and not signature.endswith(SWEPT):
            found.setdefault(_kind(signature), []).append(row.latency_s)
            found[""].append(row.latency_s)
    return {kind: median(rows) if rows else 1.0 for kind, rows in found.items()}


def _kind(signature: str) -> str:
    """The operator at the head of a signature: a runtime's `Gemm(...`, or our own `conv out=...`."""
    return signature.partition("(")[0].partition(" ")[0]
