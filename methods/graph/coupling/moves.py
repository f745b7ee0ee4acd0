"""What data movement does to ids: whatever is done to the numbers is done to the ids of their units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.coupling.ids import Ids, join, lay, moved
from methods.graph.coupling.known import Known
from methods.graph.coupling.layers import Rule, rows, unlike
from methods.graph.coupling.units import FIXED
from methods.graph.nodes import argument, has_argument, name_of
from methods.graph.ops import kind_of

SAME = ("clone", "contiguous", "alias", "detach", "to")
"""Operators that hand on the very same numbers."""


def move(t: Known, node: fx.Node) -> Any:
    """Whatever is done to the numbers is done to their ids."""
    target: Any = node.target

    def apply(part: Tensor) -> Any:
        rest = fx.map_arg(node.args[1:], lambda a: _plain(t, a))
        kwargs = fx.map_arg(node.kwargs, lambda a: _plain(t, a))
        return target(part, *rest, **kwargs)

    result = moved(t.units, t.ids(node.args[0]), apply)
    if name_of(node) in ("view", "reshape", "_unsafe_view", "flatten"):
        _remember_shuffle(t, node, result)
    return result


def _plain(t: Known, node: fx.Node) -> Any:
    """An operand that isn't moved: sizes as they are, tensors as zeros of their shape."""
    value = t.env[node]
    return torch.zeros(value.shape, dtype=torch.int64) if isinstance(value, Ids) else value


def _remember_shuffle(t: Known, node: fx.Node, result: Ids) -> None:
    """A chain of moves that only permutes one axis: such a chain can be cut anywhere, by picking entries instead."""
    chain: list[fx.Node] = []
    source: Any = node.args[0]
    if result.joint or not t.ids(source).joint:
        return
    while isinstance(source, fx.Node) and t.ids(source).joint:
        if kind_of(source.target) != "move" and name_of(source) not in SAME:
            return
        chain.append(source)
        source = source.args[0]
    if not isinstance(source, fx.Node) or t.ids(source).shape != result.shape:
        return
    axes = {a for ids in (t.ids(source), result) for p in ids.parts for a, s in enumerate(p.shape) if s > 1}
    if len(axes) == 1 and all(len(n.users) == 1 for n in chain):
        t.shuffles[node] = (source, axes.pop())
        t.soft.update(chain)


def expand(t: Known, node: fx.Node) -> Ids:
    """What is spread along an axis takes any size that is asked for there."""
    source, result = t.ids(node.args[0]), move(t, node)
    shape = result.shape
    before = (1,) * (len(shape) - len(source.shape)) + source.shape
    sizes: Any = argument(node, "size")
    spread = [a for a, s in enumerate(shape) if s > before[a] and isinstance(sizes[a], int) and sizes[a] > 1]
    return Ids(shape, (*result.parts, *(lay(t.units.new(shape[a]), a, len(shape)) for a in spread)))


def channel_shuffle(t: Known, node: fx.Node) -> Ids:
    """ATen's own shuffle of axis 1."""
    source: Any = node.args[0]
    groups = int(argument(node, "groups"))
    result: Ids = moved(t.units, t.clear(source), lambda p: p.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2))
    if any(p.shape[1] > 1 for p in result.parts):
        t.shuffles[node] = (source, 1)
    return result


def cat(t: Known, node: fx.Node) -> Ids:
    """End to end along one axis; in step along the others."""
    values = [t.ids(v) for v in argument(node, "tensors") if t.ids(v).shape != (0,)]
    shape = t.shape(node)
    axis = int(argument(node, "dim")) % len(shape)
    return join(t.units, values, axis, shape, unlike(node))


def stack(t: Known, node: fx.Node) -> Ids:
    """A new axis; in step along the others."""
    shape = t.shape(node)
    axis = int(argument(node, "dim")) % len(shape)
    values = [moved(t.units, t.ids(v), lambda p: p.unsqueeze(axis)) for v in argument(node, "tensors")]
    return join(t.units, values, axis, shape, unlike(node))


def picked(t: Known, node: fx.Node) -> Any:
    """select and unbind: entries are picked by their number, so none of that axis may go."""
    t.pins.append((t.ids(node.args[0]), int(argument(node, "dim")), f"{node.name} picks its entries by number"))
    return move(t, node)


def cut(t: Known, node: fx.Node) -> Ids:
    """slice: a run of entries; with a step, every so many entries go together."""
    step, axis = int(argument(node, "step")), int(argument(node, "dim"))
    ids = t.ids(node.args[0])
    if step != 1 and any(p.shape[axis] > 1 for p in ids.parts):
        size = ids.shape[axis]
        columns = t.clear(node.args[0]).on(axis)
        if size % step:
            t.units.freeze_all(columns, f"{node.name} picks its entries by number")
        else:
            t.units.freeze_all(rows(t, columns, size, size // step).on(1), f"{node.name} picks its entries by number")
    return move(t, node)  # type: ignore[no-any-return]


def rolled(t: Known, node: fx.Node) -> Ids:
    """roll: by a number of entries, which must stay what they are."""
    for axis in list(argument(node, "dims")) or range(len(t.shape(node))):
        t.pins.append((t.ids(node.args[0]), int(axis), f"{node.name} counts its entries"))
    return move(t, node)  # type: ignore[no-any-return]


def pad(t: Known, node: fx.Node) -> Ids:
    """What is padded on belongs to no unit; mirrored edges keep their axis."""
    source, widths = t.ids(node.args[0]), [int(w) for w in argument(node, "pad")]
    mode = argument(node, "mode") if has_argument(node, "mode") else "constant"
    rank = len(source.shape)
    for axis in {rank - 1 - i // 2 for i, w in enumerate(widths) if w}:
        if mode != "constant" or min(widths) < 0:
            t.units.freeze_all(t.clear(node.args[0]).on(axis), f"{node.name} counts its entries")
    parts = source.parts if mode != "constant" else tuple(_padded(p, widths) for p in source.parts)
    return Ids(t.shape(node), _unchanged(parts, t.shape(node)))


def _padded(part: Tensor, widths: list[int]) -> Tensor:
    """A part with units of nobody added along the axes that it varies along."""
    own = [w if part.shape[part.dim() - 1 - i // 2] > 1 else 0 for i, w in enumerate(widths)]
    return torch.nn.functional.pad(part, own, value=FIXED)


def _unchanged(parts: Sequence[Tensor], shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The parts that fit another shape: those that don't vary along axes which changed."""
    return tuple(p for p in parts if all(s in (1, size) for s, size in zip(p.shape, shape, strict=True)))


def lookup(t: Known, node: fx.Node) -> Ids:
    """Entries picked by index tensors; a fixed permutation of an axis is a shuffle."""
    source: Any = node.args[0]
    if name_of(node) == "index_select" and _constant(t, node.args[2]) is not None:
        return _permuted(t, node)
    indices = [(int(argument(node, "dim")), argument(node, "index"))] if has_argument(node, "dim") else []
    indices = indices or [(a, i) for a, i in enumerate(argument(node, "indices")) if i is not None]
    for axis, _ in indices:
        t.units.freeze_all(t.clear(source).on(axis), f"{node.name} picks its entries by number")
    ids = t.clear(source)
    kept = Ids(ids.shape, ids.without(*(a for a, _ in indices)))
    target: Any = node.target
    rest = fx.map_arg(node.args[1:], lambda a: _plain(t, a))
    return moved(t.units, kept, lambda p: target(p, *rest))  # type: ignore[no-any-return]


def _constant(t: Known, value: Any) -> Tensor | None:
    if isinstance(value, fx.Node) and value.op == "get_attr":
        return t.graph.tensor(str(value.target))
    return None


def _permuted(t: Known, node: fx.Node) -> Ids:
    source: Any = node.args[0]
    index, axis = _constant(t, node.args[2]), int(node.args[1])  # type: ignore[arg-type]
    assert index is not None
    ids = t.clear(source)
    axis %= len(ids.shape)
    if sorted(index.tolist()) != list(range(ids.shape[axis])):
        t.units.freeze_all(ids.on(axis), f"{node.name} picks its entries by number")
    elif ids.on(axis):
        t.shuffles[node] = (source, axis)
    return moved(t.units, ids, lambda p: p.index_select(axis, index.long()))  # type: ignore[no-any-return]


RULES: dict[str, Rule] = {
    "move": move,
    "expand": expand,
    "channel_shuffle": channel_shuffle,
    "cat": cat,
    "stack": stack,
    "select": picked,
    "unbind": picked,
    "slice": cut,
    "roll": rolled,
    "pad": pad,
    "lookup": lookup,
}
"""Kind or name of an operator -> its rule."""
