"""How many values a whole-number input may take, told from the operators that read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import InputSpec
from methods.graph.ops import kind_of

aten = torch.ops.aten

PASSED = {aten.to.dtype, aten.clone.default, aten.contiguous.default, aten.detach.default, aten.alias.default}


def with_values(graph: fx.Graph, inputs: tuple[InputSpec, ...], tensors: dict[str, Tensor]) -> tuple[InputSpec, ...]:
    """The inputs with `values` set for those that index something of known size (an embedding's rows, say); others
    keep what they have."""
    placeholders = {n.name: n for n in graph.nodes if n.op == "placeholder"}
    found = []
    for spec in inputs:
        bounds = _bounds(placeholders[spec.name], tensors) if not _is_float(spec.dtype) else []
        found.append(replace(spec, values=min(bounds)) if bounds else spec)
    return tuple(found)


def _is_float(dtype: str) -> bool:
    kind: torch.dtype = getattr(torch, dtype)
    return kind.is_floating_point


def _bounds(node: fx.Node, tensors: dict[str, Tensor]) -> list[int]:
    """Sizes of everything that is indexed by this value or by a rearrangement of it."""
    bounds: list[int] = []
    waiting, seen = [node], {node}
    while waiting:
        value = waiting.pop()
        for user in value.users:
            bounds += [b for b in [_bound(user, value, tensors)] if b]
            if user not in seen and (kind_of(user.target) in ("move", "getitem") or user.target in PASSED):
                seen.add(user)
                waiting.append(user)
    return bounds


def _bound(reader: fx.Node, value: fx.Node, tensors: dict[str, Tensor]) -> int:
    if reader.op != "call_function":
        return 0
    args = reader.args
    if reader.target is aten.embedding.default and args[1] is value:
        return _rows(args[0], 0, tensors)
    if reader.target is aten.one_hot.default and len(args) > 1:
        return max(0, int(args[1]))  # type: ignore[arg-type]
    if reader.target is aten.index_select.default and args[2] is value:
        return _rows(args[0], int(args[1]), tensors)  # type: ignore[arg-type]
    if reader.target is aten.index.Tensor and args[1] == [value]:
        return _rows(args[0], 0, tensors)
    return 0


def _rows(source: Any, dim: int, tensors: dict[str, Tensor]) -> int:
    """Length along `dim` of what is looked up in, where that is a parameter or buffer."""
    if isinstance(source, fx.Node) and source.op == "get_attr":
        return int(tensors[str(source.target)].shape[dim])
    return 0
