"""Units: what can be removed from a network, and how removals hang together.

A *unit* is a number. Three things can be said about units: two are the same (`unite`), one goes whenever one of several
others goes (`bind`: output 130 of a projection is channel 2 of head 2), and one has to stay (`freeze`). Each of
them only ever forbids removals, so whatever is left may be removed.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]

FIXED = 0
"""Marks places that belong to no unit: inputs, constants, and what comes out of a barrier."""


class Units:
    """Union-find over units, with products and with reasons for staying."""

    def __init__(self) -> None:
        self.parent = array("q", [FIXED])
        self.family: list[int] = [0]
        self._leaf, self._stays = bytearray(b"\x01"), bytearray(b"\x01")
        self.factors: dict[int, tuple[int, ...]] = {}
        self.reasons: dict[int, str] = {}
        self._flattened: dict[int, tuple[int, ...]] = {}
        self._changed = False
        self._families = 1

    def new(self, count: int) -> Tensor:
        """Fresh units `[count]` of one family."""
        start = len(self.parent)
        self.parent.extend(range(start, start + count))
        self.family.extend([self._families] * count)
        self._leaf += b"\x01" * count
        self._stays += b"\x00" * count
        self._families += 1
        return torch.arange(start, start + count)

    def find(self, unit: int) -> int:
        """The representative of all units that are the same."""
        parent = self.parent
        while parent[unit] != unit:
            parent[unit] = parent[parent[unit]]
            unit = parent[unit]
        return unit

    def leaves(self, unit: int) -> tuple[int, ...]:
        """The units of which each alone takes this one away; itself, where it is no product."""
        root = self.find(unit)
        if root not in self.factors:
            return (root,)
        if self._changed:
            self._flattened, self._changed = {}, False
        known = self._flattened.get(root)
        if known is None:
            known = self._flattened[root] = self._flat(self.factors[root])
        return known

    def unite(self, a: int, b: int) -> None:
        """Makes two units one."""
        a, b = self.find(a), self.find(b)
        if a == b:
            return
        if a in self.factors and b in self.factors:
            self._equate(self.leaves(a), self.leaves(b))
        elif a in self.factors:
            self.bind(b, (a,))
        elif b in self.factors:
            self.bind(a, (b,))
        else:
            keep, gone = min(a, b), max(a, b)
            self.parent[gone] = keep
            self._leaf[gone] = 0
            self._changed = True
            if gone in self.reasons:
                self.freeze([keep], self.reasons[gone])

    def bind(self, unit: int, factors: Sequence[int]) -> None:
        """`unit` goes exactly when one of `factors` goes."""
        root = self.find(unit)
        if root in self.factors:
            known = self.factors[root]
            if len(known) == len(factors):
                for a, b in zip(known, factors, strict=True):
                    self.unite(a, b)
            else:
                self._equate(self.leaves(root), self._flat(factors))
            return
        flat = self._flat(factors)
        if flat == (root,):
            return
        if root in flat:
            self.freeze(flat, "it would have to be two different products of channels")
        elif len(flat) == 1:
            self.unite(root, flat[0])
        else:
            self.factors[root] = tuple(factors)
            self._leaf[root] = 0
            self._changed = True
            if root in self.reasons:
                self.freeze(flat, self.reasons[root])

    def _flat(self, factors: Iterable[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(leaf for factor in factors for leaf in self.leaves(factor)))

    def _equate(self, a: Sequence[int], b: Sequence[int]) -> None:
        """Two products are the same: factor by factor, or not at all."""
        left, right = [x for x in a if x not in b], [y for y in b if y not in a]
        if len(left) == len(right):
            for x, y in zip(left, right, strict=True):
                self.unite(x, y)
        else:
            self.freeze((*left, *right), "two ways to cut the same channels contradict each other")

    def freeze(self, units: Iterable[int], reason: str) -> None:
        """Keeps these units for good; the first reason given stands."""
        for unit in units:
            for leaf in self.leaves(unit) if unit != FIXED else ():
                self.reasons.setdefault(leaf, reason)
                self._stays[leaf] = 1

    def freeze_all(self, columns: Iterable[Tensor], reason: str) -> None:
        """Keeps every unit of some tensors."""
        for column in columns:
            self.freeze(torch.unique(column).tolist(), reason)

    def all_stay(self, leaves: Tensor) -> bool:
        """Whether none of these units, no products, may go."""
        return bool(np.frombuffer(self._stays, np.uint8)[leaves.numpy()].all())

    def columns(self, ids: Tensor) -> list[Tensor]:
        """The tensor with every unit replaced by its leaves: as many tensors of its shape as a unit has leaves."""
        flags = np.frombuffer(self._leaf, np.uint8)
        if bool(flags[ids.numpy()].all()):
            return [ids]
        roots = self._roots(ids.numpy())
        if bool(flags[roots].all()):
            return [torch.from_numpy(roots)]
        values, place = np.unique(roots, return_inverse=True)
        leaves = [() if v == FIXED else self.leaves(v) for v in values.tolist()]
        width = max(len(found) for found in leaves)
        table = np.array([found + (FIXED,) * (width - len(found)) for found in leaves], dtype=np.int64)
        return [torch.from_numpy(table[:, k][place.reshape(roots.shape)]) for k in range(width)]

    def _roots(self, ids: Ints) -> Ints:
        parent = np.frombuffer(self.parent, np.int64)
        roots = parent[ids]
        while not np.array_equal(roots, following := parent[roots]):
            roots = following
        return roots

    def unite_all(self, a: Tensor, b: Tensor, reason: str) -> None:
        """Unites two tensors of one shape place by place; a unit that meets FIXED stays."""
        left, right = self._roots(a.numpy()).reshape(-1), self._roots(b.numpy()).reshape(-1)
        unlike = left != right
        keys = np.unique(left[unlike] * len(self.parent) + right[unlike])
        for x, y in zip((keys // len(self.parent)).tolist(), (keys % len(self.parent)).tolist(), strict=True):
            if x == FIXED or y == FIXED:
                self.freeze((x, y), reason)
            else:
                self.unite(x, y)
