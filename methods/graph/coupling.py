"""Coupling: which channels must go together.

Every value of the graph carries, beside it, an integer tensor of the same shape that says which channel *unit* each
element belongs to. Data movement is simply run on those integers, elementwise operators unite units, convolutions and
linear layers make new ones, and whatever isn't understood freezes the units that reach it, with the reason kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

FIXED = -1
"""Marks elements that belong to no unit: inputs, constants, and what comes out of a barrier."""


@dataclass(frozen=True)
class Slot:
    """Entry `index` along axis `dim` of a parameter; `role` is out, in or along (norms, biases of consumers)."""

    parameter: str
    dim: int
    index: int
    role: str


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that can be removed together.

    Attributes:
        site: its name, after the first layer that makes the channels (`channels:conv1`).
        units: one tuple of slots per channel; removing unit u means deleting all its slots.
        roots: the id of each unit in the coupling's vectors.
    """

    site: str
    units: tuple[tuple[Slot, ...], ...]
    roots: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class Frozen:
    """Channels that stay, and why."""

    site: str
    units: int
    reason: str


@dataclass(frozen=True)
class Vector:
    """The ids along the one axis of a node's value that they vary along, `[shape[axis]]`."""

    axis: int
    ids: Tensor


@dataclass(frozen=True)
class Coupling:
    """All groups of a graph, what is frozen, and per node (or per output of it) the vector of ids."""

    groups: dict[str, ChannelGroup]
    frozen: tuple[Frozen, ...]
    vectors: dict[str, list[Vector | None]]
    shapes: dict[str, list[tuple[int, ...]]]


class Units:
    """Union-find over unit ids with slots and reasons for freezing."""

    def __init__(self) -> None:
        self.parent: list[int] = []
        self.slots: dict[int, list[Slot]] = defaultdict(list)
        self.reasons: dict[int, str] = {}

    def new(self, count: int) -> Tensor:
        """Fresh ids `[count]`."""
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        return torch.arange(start, start + count)

    def find(self, unit: int) -> int:
        while self.parent[unit] != unit:
            self.parent[unit] = self.parent[self.parent[unit]]
            unit = self.parent[unit]
        return unit

    def unite(self, a: int, b: int) -> None:
        """Makes two units one; the older id stays."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return
        keep, gone = min(a, b), max(a, b)
        self.parent[gone] = keep
        if gone in self.reasons:
            self.reasons.setdefault(keep, self.reasons[gone])

    def freeze(self, ids: Tensor, reason: str) -> None:
        """Keeps these units for good; the first reason given stands."""
        for unit in torch.unique(ids).tolist():
            if unit != FIXED:
                self.reasons.setdefault(self.find(unit), reason)

    def attach(self, ids: Tensor, parameter: str, dim: int, role: str) -> None:
        """Ties unit `ids[i]` to entry i along `dim` of a parameter."""
        for index, unit in enumerate(ids.tolist()):
            if unit != FIXED:
                self.slots[unit].append(Slot(parameter, dim, index, role))

    def unite_tensors(self, a: Tensor, b: Tensor, reason: str) -> Tensor:
        """Unites two id tensors of one shape, element by element; a unit that meets FIXED is frozen."""
        pairs = torch.unique(torch.stack([a.reshape(-1), b.reshape(-1)]), dim=1)
        for left, right in pairs.t().tolist():
            if left == FIXED or right == FIXED:
                self.freeze(torch.tensor([max(left, right)]), reason)
            else:
                self.unite(left, right)
        return torch.maximum(a, b)

    def roots(self, ids: Tensor) -> Tensor:
        """The same tensor with every id replaced by its representative."""
        table = torch.tensor([self.find(u) for u in range(len(self.parent))] + [FIXED])
        return table[ids]

    def classes(self) -> dict[int, list[Slot]]:
        """Representative -> all slots of its class."""
        result: dict[int, list[Slot]] = defaultdict(list)
        for unit in range(len(self.parent)):
            result[self.find(unit)].extend(self.slots.get(unit, ()))
        return result


def varying_axes(ids: Tensor) -> list[int]:
    """The axes along which an id tensor is not constant, or has length one and a unit of its own."""
    axes = [a for a in range(ids.dim()) if ids.shape[a] > 1 and bool((ids != ids.narrow(a, 0, 1)).any())]
    return axes


def vector_of(ids: Tensor, axis: int) -> Tensor | None:
    """The ids along `axis` (`[shape[axis]]`), or None where they vary along another axis too."""
    axis %= ids.dim()
    if any(a != axis for a in varying_axes(ids)) or ids.numel() == 0:
        return None
    index: list[int | slice] = [0] * ids.dim()
    index[axis] = slice(None)
    return ids[tuple(index)]


def spread(vector: Tensor, axis: int, shape: Iterable[int]) -> Tensor:
    """A vector of ids along `axis` as a tensor of `shape`."""
    shape = tuple(shape)
    view = [1] * len(shape)
    view[axis % len(shape)] = -1
    return vector.reshape(view).expand(shape)


def build_groups(units: Units) -> tuple[dict[str, ChannelGroup], list[Frozen]]:
    """Classes of units with the same pattern of slots become groups; frozen ones are listed with the reason."""
    patterns: dict[tuple[str, frozenset[tuple[str, int, str]]], list[tuple[int, tuple[Slot, ...]]]] = defaultdict(list)
    frozen: dict[tuple[str, str], int] = defaultdict(int)
    for root, slots in units.classes().items():
        makers = [s for s in slots if s.role == "out"]
        if not makers:
            continue
        reason = units.reasons.get(root)
        if reason is None and not any(s.role == "in" for s in slots):
            reason = "no layer reads it"
        owner = makers[0].parameter.removesuffix(".weight")
        if reason is not None:
            frozen[(f"channels:{owner}", reason)] += 1
            continue
        patterns[(owner, frozenset((s.parameter, s.dim, s.role) for s in slots))].append((root, tuple(slots)))
    groups: dict[str, ChannelGroup] = {}
    for (owner, _), members in patterns.items():
        site, copy = f"channels:{owner}", 2
        while site in groups:
            site, copy = f"channels:{owner}#{copy}", copy + 1
        groups[site] = ChannelGroup(site, tuple(s for _, s in members), tuple(r for r, _ in members))
    return groups, [Frozen(site, count, reason) for (site, reason), count in frozen.items()]
