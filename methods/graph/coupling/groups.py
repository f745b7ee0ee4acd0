"""Coupling: which parts of a network must go together, as groups of units that can be removed one by one.

See units.py and ids.py for how it is found, trace.py for the walk through the graph. After an idea of Fang et al.,
"DepGraph: towards any structural pruning", 2023, arXiv 2301.12900, carried from pairs of layers to single elements.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from methods.graph.coupling.units import FIXED, Ints, Units

Gone = NDArray[np.bool_]
"""For each unit of a coupling, by its number: whether it is removed."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where units live in a parameter: entry `index[i]` along axis `dim` belongs to unit `unit[i]` of the group.

    `role` is out (the entries make the unit), in (they read it) or along (norms, biases, embeddings of positions).
    """

    parameter: str
    dim: int
    role: str
    index: Tensor
    unit: Tensor


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Units that can be removed, each alone: channels, attention heads, groups of a convolution, hidden units.

    Attributes:
        site: its name, after the first layer that makes the units (`channels:conv1`, `heads:encoder.0.query`).
        places: where in the parameters its units live. roots: the number of each unit in the coupling's axes.
    """

    site: str
    places: tuple[Place, ...]
    roots: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.roots)


@dataclass(frozen=True)
class Frozen:
    """Units that stay, and why."""

    site: str
    units: int
    reason: str


Axes = Mapping[int, Tensor]
"""Axis -> the units of each of its entries, `[size, k]`; an entry goes when any of its units goes."""


@dataclass(frozen=True, eq=False)
class Coupling:
    """All groups of a graph and what is frozen; per node and output the units along each axis, and its shapes.

    `shuffles` names the nodes that permute the entries of an axis of an earlier node: (that node, the axis). Units are
    numbered below `units`.
    """

    groups: Mapping[str, ChannelGroup]
    frozen: tuple[Frozen, ...]
    axes: Mapping[str, list[Axes]]
    shapes: Mapping[str, list[tuple[int, ...]]]
    shuffles: Mapping[str, tuple[str, int]]
    units: int

    def left(self, node: str, axis: int, gone: Gone, output: int = 0) -> int:
        """How many entries of a node's axis stay when units go; `gone` says so for each of them."""
        return int(self.stay(node, axis, gone, output).sum())

    def stay(self, node: str, axis: int, gone: Gone, output: int = 0) -> NDArray[np.bool_]:
        """Which entries of a node's axis stay, `[size]`."""
        units = self.axes[node][output].get(axis)
        if units is None:
            return np.ones(self.shapes[node][output][axis], dtype=bool)
        found: NDArray[np.bool_] = ~gone[units.numpy()].any(axis=1)
        return found

    def touches(self, node: str, gone: Gone) -> bool:
        """Whether a node's value gets smaller."""
        return any(bool(gone[u.numpy()].any()) for axes in self.axes.get(node, ()) for u in axes.values())


@dataclass(frozen=True, eq=False)
class Slots:
    """One axis of a parameter: the unit of each entry, `[size]`, and how layers use it."""

    parameter: str
    dim: int
    role: str
    ids: Tensor


def build_groups(
    units: Units, slots: list[Slots], read: set[int], labels: Mapping[int, str]
) -> tuple[dict[str, ChannelGroup], tuple[Frozen, ...]]:
    """Units with the same pattern of places become a group; those that must stay are listed with the reason."""
    patterns: dict[tuple[str, int, bytes], list[_Leaf]] = defaultdict(list)
    frozen: dict[tuple[str, str], int] = defaultdict(int)
    covered = _covered(units, slots)
    for leaf in _leaves(units, slots):
        used = [slots[s] for s in leaf.slots.tolist()]
        maker = next((slot for slot in used if slot.role == "out"), None)
        if maker is None:
            continue
        owner = f"{labels.get(leaf.unit, 'channels')}:{owner_of(maker.parameter)}"
        reason = units.reasons.get(leaf.unit)
        if reason is None and leaf.unit not in read and not any(slot.role == "in" for slot in used):
            reason = "no layer reads it"
        if reason is not None:
            frozen[owner, reason] += leaf.unit not in covered
        else:
            patterns[owner, units.family[leaf.unit], leaf.slots.tobytes() + leaf.counts.tobytes()].append(leaf)
    groups: dict[str, ChannelGroup] = {}
    for (owner, _, _), leaves in sorted(patterns.items(), key=lambda item: int(item[1][0].slots[0])):
        site = _unused(owner, groups)
        groups[site] = _group(site, leaves, slots)
    return groups, tuple(Frozen(site, count, reason) for (site, reason), count in frozen.items() if count)


@dataclass(frozen=True, eq=False)
class _Leaf:
    """One unit: the slots that it is in, how often in each, and its entries there, one slot after the other."""

    unit: int
    slots: Ints
    counts: Ints
    entries: Ints


def _leaves(units: Units, slots: list[Slots]) -> list[_Leaf]:
    """Every unit that is anywhere, by number."""
    rows = [
        (column, np.full(len(column), number), np.arange(len(column)))
        for number, slot in enumerate(slots)
        for column in (c.numpy() for c in units.columns(slot.ids))
    ]
    if not rows:
        return []
    unit, slot, entry = (np.concatenate(column) for column in zip(*rows, strict=True))
    order = np.lexsort((entry, slot, unit))
    unit, slot, entry = unit[order], slot[order], entry[order]
    pairs, first, counts = np.unique(unit * len(slots) + slot, return_index=True, return_counts=True)
    ends = np.flatnonzero(np.diff(pairs // len(slots), append=-1)) + 1
    leaves = []
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        found = int(pairs[start] // len(slots))
        last = first[end - 1] + counts[end - 1]
        if found != FIXED:
            leaves.append(_Leaf(found, pairs[start:end] % len(slots), counts[start:end], entry[first[start] : last]))
    return leaves


def _covered(units: Units, slots: list[Slots]) -> set[int]:
    """Frozen units all of whose entries may go with other units: query, key and value as such, while heads may go."""
    free: set[int] = set()
    bare: set[int] = set()
    frozen = np.zeros(len(units.parent), dtype=bool)
    frozen[[FIXED, *units.reasons]] = True
    for slot in slots:
        columns = torch.stack(units.columns(slot.ids), 1).numpy()
        stays = frozen[columns]
        some = ~stays.all(axis=1)
        free.update(columns[some][stays[some]].tolist())
        bare.update(columns[~some].reshape(-1).tolist())
    return free - bare


LEAVES = r"weight|weight_[ih]h_l\d+(_reverse)?|parametrizations\.weight\.original\d|weight_[gv]"
"""What weights are called within their layers."""


def owner_of(parameter: str) -> str:
    """The layer that a weight belongs to: `fc1` for `fc1.weight`, `lstm` for `lstm.weight_ih_l0`."""
    return re.sub(
        r"[._](weight|weight_[ih]h_l\d+(_reverse)?|parametrizations\.weight\.original\d|weight_[gv])$", "", parameter
    )


def _unused(site: str, taken: Mapping[str, object]) -> str:
    name, copy = site, 2
    while name in taken:
        name, copy = f"{site}#{copy}", copy + 1
    return name


def _group(site: str, leaves: list[_Leaf], slots: list[Slots]) -> ChannelGroup:
    entries = np.stack([leaf.entries for leaf in leaves])
    places, start = [], 0
    for number, count in zip(leaves[0].slots.tolist(), leaves[0].counts.tolist(), strict=True):
        index = torch.from_numpy(entries[:, start : start + count].reshape(-1).copy())
        unit = torch.arange(len(leaves)).repeat_interleave(count)
        places.append(Place(slots[number].parameter, slots[number].dim, slots[number].role, index, unit))
        start += count
    return ChannelGroup(site, tuple(places), tuple(leaf.unit for leaf in leaves))
