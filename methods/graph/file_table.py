"""The table of tensors in a `.fwm` file's document: names and roles, in the order of their bytes in the blob.

A tensor alone is `name: 1` (trained) or `name: 0`; a weight with what forms it is `name: [1, {"mask": other name}]`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from methods.graph.file_tensors import behind, stored_tensors
from methods.graph.ir import Graph
from methods.graph.nodes_json import PATH, BadFile
from methods.storage import records
from methods.storage.coded import Coded
from methods.storage.lookups import LookedUp
from methods.storage.plain import Plain
from methods.storage.pool import opened
from methods.storage.records import Record
from methods.storage.symbols import Pieces

FACTORS = "factors"


def written(graph: Graph) -> tuple[dict[str, Any], Pieces]:
    """The table of a settled graph's tensors, and the pieces of the blob."""
    table: dict[str, Any] = {}
    pieces: Pieces = []
    for entry in stored_tensors(graph):
        roles = dict(entry.others) | ({FACTORS: entry.factors} if entry.factors else {})
        table[entry.name] = [int(entry.trainable), roles] if roles else int(entry.trainable)
        pieces += records.encode(entry.record)
    return table, pieces


def read(graph: Graph, table: dict[str, Any], blob: bytes) -> set[str]:
    """Puts every tensor of a file into the graph; returns their names. Raises BadFile or StorageError."""
    rows = {name: _row(name, value) for name, value in table.items()}
    names = [n for name, (_, roles) in rows.items() for n in (name, *(v for k, v in roles.items() if k != FACTORS))]
    if len(set(names)) != len(names) or not all(isinstance(n, str) and PATH.fullmatch(n) for n in names):
        raise BadFile("a tensor is there twice, or has a name that is not a plain dotted one")
    reader, waiting = opened(blob), {}
    for name, (trained, roles) in rows.items():
        record = records.decode(reader)
        graph.set_tensor(name, _value(record), trained and _value(record).is_floating_point())
        if FACTORS in roles and isinstance(record, Coded):
            waiting[name] = record
        for role, other in roles.items():
            if role != FACTORS:
                graph.set_tensor(other, _other(name, record, role), trainable=False)
    reader.finish()
    for name, record in waiting.items():
        factors = _factors(graph, name, rows[name][1][FACTORS], set(names))
        graph.tensor(name).data.copy_(behind(record, factors))
    return set(names)


def _row(name: str, value: Any) -> tuple[bool, dict[str, str]]:
    trained, roles = value if isinstance(value, list) and len(value) == 2 else (value, {})
    if trained not in (0, 1) or not isinstance(roles, dict):
        raise BadFile(f"the tensor {name[:80]!r} is described as {str(value)[:60]}, which says nothing")
    return bool(trained), roles


def _value(record: Record) -> Tensor:
    """The tensor itself."""
    if isinstance(record, Plain):
        value = torch.from_numpy(record.values)
        return value.view(torch.bfloat16) if record.brain else value
    return torch.from_numpy(record.values if isinstance(record, Coded) else record.book)


def _other(name: str, record: Record, role: str) -> Tensor:
    """The tensor that an entry holds under a role. Raises BadFile where it holds none such."""
    held: dict[str, Any] = {"mask": record.mask}
    if isinstance(record, Coded):
        held |= {"scale": record.scale, "zero": record.zero}
    if isinstance(record, LookedUp):
        held |= {"indices": record.indices, "signs": record.signs}
    value = held.get(role)
    if value is None:
        raise BadFile(f"the tensor {name[:80]!r} holds nothing that could be its {role[:40]!r}")
    return torch.from_numpy(np.ascontiguousarray(value))


def _factors(graph: Graph, name: str, factors: Any, names: set[str]) -> Tensor:
    """What the codes of a weight are divided by, which must fit them."""
    if not isinstance(factors, str) or factors not in names or factors == name:
        raise BadFile(f"the factors of the tensor {name[:80]!r} are not in the file")
    return graph.tensor(factors).detach()
