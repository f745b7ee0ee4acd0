"""Ids: which units each element of a value belongs to, and how the ids of several values are brought into step.

A value's ids are a few integer tensors that broadcast to its shape. An element goes when any of its units goes: the
query of an attention layer, `[batch, heads, tokens, width]`, has one part that varies along the heads and one that
varies along the width. A part that varies along two axes at once is a product still to be found (`separate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from methods.graph.coupling.units import FIXED, Units

UNEVEN = "its channels can't be cut evenly"


@dataclass(frozen=True)
class Ids:
    """Ids of a value of `shape`; each part has the value's rank, and length one along axes where it doesn't vary."""

    shape: tuple[int, ...]
    parts: tuple[Tensor, ...] = ()

    @classmethod
    def along(cls, shape: Sequence[int], axis: int, columns: Sequence[Tensor]) -> Ids:
        """Columns `[shape[axis]]` laid along one axis."""
        return cls(tuple(shape), tuple(lay(c, axis, len(shape)) for c in columns))

    def on(self, axis: int) -> list[Tensor]:
        """The columns `[shape[axis]]` that vary along `axis`, where every part varies along one axis at most."""
        axis %= max(1, len(self.shape))
        return [p.reshape(-1) for p in self.parts if p.shape[axis] > 1]

    def without(self, *axes: int) -> tuple[Tensor, ...]:
        """The parts that don't vary along any of these axes."""
        gone = {a % len(self.shape) for a in axes}
        return tuple(p for p in self.parts if not gone & set(varying(p)))

    @property
    def joint(self) -> bool:
        """Whether some part varies along two axes or more."""
        return any(len(varying(p)) > 1 for p in self.parts)


def listed(value: Any) -> list[Ids]:
    """The ids among a node's outputs: one, a list, or none for sizes."""
    values = value if isinstance(value, list | tuple) else [value]
    return [v for v in values if isinstance(v, Ids)]


def lay(column: Tensor, axis: int, rank: int) -> Tensor:
    """A column as a part that varies along one axis."""
    view = [1] * rank
    view[axis % rank] = -1
    return column.reshape(view)


def varying(part: Tensor) -> list[int]:
    """The axes along which a part varies."""
    return [a for a, size in enumerate(part.shape) if size > 1]


def compact(ids: Tensor) -> Tensor:
    """The same ids with length one along every axis where they don't vary."""
    for axis, size in enumerate(ids.shape):
        first = ids.narrow(axis, 0, min(1, size))
        if size > 1 and (ids.stride(axis) == 0 or bool((ids == first).all())):
            ids = first
    return ids


def parts_of(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Parts worth keeping: compact, different from each other, with units in them."""
    kept: list[Tensor] = []
    for part in map(compact, tensors):
        if part.numel() > 1 and bool((part != FIXED).any()) and not any(_same(part, other) for other in kept):
            kept.append(part)
    return tuple(kept)


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def resolve(units: Units, ids: Ids) -> Ids:
    """The same with every unit replaced by its leaves, without parts that stay whole anyway."""
    columns = [c for part in ids.parts for c in units.columns(part)]
    return Ids(ids.shape, parts_of([c for c in columns if not units.all_stay(c)]))


def separate(units: Units, ids: Ids) -> Ids:
    """Ids of which each part varies along one axis: parts that vary along several are made products of one unit per
    place of each axis, so that whatever goes leaves a full rectangle."""
    for _ in range(16):
        ids = resolve(units, ids)
        joint = [p for p in ids.parts if len(varying(p)) > 1]
        if not joint:
            return ids
        _factor(units, joint[0])
    units.freeze_all(ids.parts, UNEVEN)
    return Ids(ids.shape, tuple(p for p in ids.parts if len(varying(p)) < 2))


def _factor(units: Units, part: Tensor) -> None:
    axes = varying(part)
    new = [units.new(part.shape[a]).tolist() for a in axes]
    places = torch.cartesian_prod(*[torch.arange(part.shape[a]) for a in axes]).tolist()
    for unit, place in zip(part.reshape(-1).tolist(), places, strict=True):
        factors = tuple(column[i] for column, i in zip(new, place, strict=True))
        if unit == FIXED:
            units.freeze(factors, UNEVEN)
        else:
            units.bind(unit, factors)


def match(units: Units, a: Sequence[Tensor], b: Sequence[Tensor], reason: str) -> None:
    """Brings the columns of one axis of two values into step: `[n]` each, any number of them on either side."""
    left = [c for part in a for c in units.columns(part)]
    right = [c for part in b for c in units.columns(part)]
    left, right = _unlike(left, right), _unlike(right, left)
    if len(left) == len(right):
        for x, y in zip(left, _in_order(units, left, right), strict=True):
            units.unite_all(x, y, reason)
    elif len(left) == 1:
        _bind_all(units, left[0], right, reason)
    elif len(right) == 1:
        _bind_all(units, right[0], left, reason)
    else:
        units.freeze_all([*left, *right], reason)


def _unlike(columns: list[Tensor], others: list[Tensor]) -> list[Tensor]:
    return [c for c in columns if not any(_same(c, other) for other in others)]


def _in_order(units: Units, left: list[Tensor], right: list[Tensor]) -> list[Tensor]:
    """The right columns in the order in which they fit the left: by family where that says something."""

    def family(column: Tensor) -> int:
        return units.family[units.find(int(column.max()))]

    rest, order = list(right), []
    for column in left:
        best = next((r for r in rest if family(r) == family(column)), rest[0])
        rest = [r for r in rest if r is not best]
        order.append(best)
    return order


def _bind_all(units: Units, column: Tensor, factors: Sequence[Tensor], reason: str) -> None:
    if not factors:
        units.freeze_all([column], reason)
        return
    for unit, *found in zip(column.tolist(), *(f.tolist() for f in factors), strict=True):
        real = [f for f in found if f != FIXED]
        if unit == FIXED or not real:
            units.freeze([unit, *real], reason)
        else:
            units.bind(unit, real)


def unify(units: Units, values: Sequence[Ids], shape: Sequence[int], reason: str) -> Ids:
    """The ids of an elementwise result of `shape`; an operand that is spread along an axis says nothing about it."""
    lined = [_with_rank(v, len(shape)) for v in values]
    result = lined[0]
    for other in lined[1:]:
        result = _pair(units, result, other, reason)
    return Ids(tuple(shape), resolve(units, result).parts)


def _with_rank(ids: Ids, rank: int) -> Ids:
    extra = (1,) * (rank - len(ids.shape))
    return Ids((*extra, *ids.shape), tuple(p.reshape((*extra, *p.shape)) for p in ids.parts))


def _pair(units: Units, a: Ids, b: Ids, reason: str) -> Ids:
    shape = tuple(max(x, y) for x, y in zip(a.shape, b.shape, strict=True))
    a, b = resolve(units, a), resolve(units, b)
    if len(a.parts) == len(b.parts) == 1 and a.shape == b.shape and a.parts[0].shape == b.parts[0].shape:
        units.unite_all(a.parts[0], b.parts[0], reason)
        return Ids(shape, a.parts)
    a, b = separate(units, a), separate(units, b)
    for axis in range(len(shape)):
        if a.shape[axis] == b.shape[axis]:
            match(units, a.on(axis), b.on(axis), reason)
    return Ids(shape, parts_of([*a.parts, *b.parts]))


def join(units: Units, values: Sequence[Ids], axis: int, shape: Sequence[int], reason: str) -> Ids:
    """The ids of values laid end to end along `axis`: in step along every other axis."""
    if all(len(v.parts) == 1 and v.parts[0].shape[axis] > 1 for v in values):
        others = {tuple(s for i, s in enumerate(v.parts[0].shape) if i != axis) for v in values}
        if len(others) == 1:
            return Ids(tuple(shape), parts_of([torch.cat([v.parts[0] for v in values], axis)]))
    clear = [separate(units, v) for v in values]
    for other in range(len(shape)):
        for value in clear[1:]:
            if other != axis:
                match(units, clear[0].on(other), value.on(other), reason)
    clear = [separate(units, v) for v in clear]
    width = max(len(v.on(axis)) for v in clear)
    laid = [torch.cat([_column(v, axis, k) for v in clear]) for k in range(width)]
    rest = [p for v in clear for p in v.without(axis)]
    return Ids(tuple(shape), parts_of([*(lay(c, axis, len(shape)) for c in laid), *rest]))


def _column(ids: Ids, axis: int, place: int) -> Tensor:
    found = ids.on(axis)
    return found[place] if place < len(found) else torch.full((ids.shape[axis],), FIXED)


def moved(units: Units, ids: Ids, move: Callable[[Tensor], Any]) -> Any:
    """What data movement makes of ids: simply run on them. `move` gives a tensor or several."""
    results = [move(part.expand(ids.shape)) for part in ids.parts]
    if not results:
        empty = move(torch.full((1,), FIXED).expand(ids.shape) if ids.shape else torch.tensor(FIXED))
        return [Ids(tuple(e.shape)) for e in empty] if isinstance(empty, list | tuple) else Ids(tuple(empty.shape))
    if isinstance(results[0], list | tuple):
        return [_gathered(units, list(tensors)) for tensors in zip(*results, strict=True)]
    return _gathered(units, results)


def _gathered(units: Units, tensors: list[Tensor]) -> Ids:
    for tensor in tensors:
        if tensor.numel() and compact(tensor).numel() == 1:
            units.freeze_all([compact(tensor)], "it is picked out alone")
    return Ids(tuple(tensors[0].shape), parts_of(tensors))
