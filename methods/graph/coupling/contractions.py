"""What products of two values do to ids: matrix products, attention, einsum. What both sides share goes in step."""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx

from methods.graph.coupling.ids import Ids, lay, match, parts_of, separate, unify
from methods.graph.coupling.known import Known
from methods.graph.nodes import argument

CONTRACTED = "it is multiplied with values that can't be cut"


def matmul(t: Known, node: fx.Node) -> Ids:
    """`[..., m, k]` times `[..., k, n]`, with the batch axes of matmul, bmm and mm."""
    a, b = _matrix(t, node.args[0], 0), _matrix(t, node.args[1], -1)
    match(t.units, a.on(-1), b.on(-2), CONTRACTED)
    t.reads += a.on(-1)
    t.play(node.args[0], -1, "in")
    t.play(node.args[0], -2, "out")
    t.play(node.args[1], -2, "in")
    t.play(node.args[1], -1, "out")
    shape = t.shape(node)
    full = len(shape) == max(len(a.shape), len(b.shape)) and len(t.ids(node.args[1]).shape) > 1
    if not full or len(t.ids(node.args[0]).shape) < 2:
        return _vector_product(t, node, a, b)
    return _product(t, a, b, shape)


def _matrix(t: Known, value: Any, missing: int) -> Ids:
    """An operand as a matrix: a vector gets the axis that it lacks."""
    ids = t.clear(value)
    if len(ids.shape) > 1:
        return ids
    shape = (1, *ids.shape) if missing == 0 else (*ids.shape, 1)
    return Ids(shape, tuple(p.reshape(1, -1) if missing == 0 else p.reshape(-1, 1) for p in ids.parts))


def _vector_product(t: Known, node: fx.Node, a: Ids, b: Ids) -> Ids:
    shape = t.shape(node)
    if not shape:
        return Ids(shape)
    rows = len(t.ids(node.args[0]).shape) > 1
    columns = a.on(-2) if rows else b.on(-1)
    wide = a if rows else b
    outer = Ids(wide.shape[:-2], tuple(p.reshape(p.shape[:-2]) for p in wide.without(-1, -2)))
    made = [lay(c, -1, len(shape)) for c in columns]
    return Ids(shape, parts_of([*made, *(p.unsqueeze(-1) for p in outer.parts)]))


def _product(t: Known, a: Ids, b: Ids, shape: tuple[int, ...]) -> Ids:
    made = [*(lay(c, -2, len(shape)) for c in a.on(-2)), *(lay(c, -1, len(shape)) for c in b.on(-1))]
    batch = _batch(t, [a, b], shape)
    t.named += [("heads", c) for axis in range(len(shape) - 2) for c in separate(t.units, batch).on(axis)]
    return separate(t.units, Ids(shape, parts_of([*made, *batch.parts])))


def _batch(t: Known, values: list[Ids], shape: tuple[int, ...]) -> Ids:
    """The batch axes of matrices in step, with length one for the last two."""
    outer = [Ids((*v.shape[:-2], 1, 1), v.without(-1, -2)) for v in values]
    return unify(t.units, outer, (*shape[:-2], 1, 1), CONTRACTED)


def attention(t: Known, node: fx.Node) -> Ids:
    """softmax(q k) v over `[batch, heads, tokens, width]`: heads in step, q and k in step along their width."""
    q, k, v = (t.clear(argument(node, name)) for name in ("query", "key", "value"))
    if len(q.shape) > 2 and k.shape[-3] != q.shape[-3]:
        k, v = (_repeated(x, q.shape[-3]) for x in (k, v))
    match(t.units, q.on(-1), k.on(-1), CONTRACTED)
    match(t.units, k.on(-2), v.on(-2), CONTRACTED)
    t.reads += q.on(-1)
    t.units.freeze_all(t.clear(argument(node, "key")).on(-2), f"{node.name} weighs its entries against each other")
    shape = t.shape(node)
    scores = (*shape[:-1], k.shape[-2])
    mask = argument(node, "attn_mask")
    batch = _batch(t, [q, k, v], shape)
    if mask is not None:
        held = unify(t.units, [Ids((*shape[:-2], *scores[-2:]), batch.parts), t.clear(mask)], scores, CONTRACTED)
        batch = Ids(batch.shape, held.without(-1, -2))
    if len(shape) > 2:
        t.named += [("heads", c) for c in separate(t.units, batch).on(len(shape) - 3)]
    made = [*(lay(c, -2, len(shape)) for c in q.on(-2)), *(lay(c, -1, len(shape)) for c in v.on(-1))]
    return separate(t.units, Ids(shape, parts_of([*made, *batch.parts])))


def _repeated(ids: Ids, heads: int) -> Ids:
    """Keys and values of grouped queries: each head serves several."""
    axis = len(ids.shape) - 3
    times = heads // ids.shape[axis]
    parts = tuple(p.repeat_interleave(times, axis) if p.shape[axis] > 1 else p for p in ids.parts)
    return Ids((*ids.shape[:axis], heads, *ids.shape[axis + 1 :]), parts)


def einsum(t: Known, node: fx.Node) -> Ids:
    """Axes of one letter go in step; those that the result lacks are read."""
    equation = str(node.args[0]).replace(" ", "")
    tensors: Any = node.args[1]
    terms, _, out = equation.partition("->")
    names = terms.split(",")
    if "." in equation or "->" not in equation or any(len(set(n)) < len(n) for n in names):
        return t.barrier(node, f"{node.name} names its axes in a way that isn't followed")  # type: ignore[no-any-return]
    known: dict[str, list[Tensor]] = {}
    for letters, value in zip(names, tensors, strict=True):
        for axis, letter in enumerate(letters):
            columns = t.clear(value).on(axis)
            if letter in known:
                match(t.units, known[letter], columns, CONTRACTED)
            known[letter] = known.get(letter) or columns
            t.play(value, axis, "out" if letter in out else "in")
    t.reads += [c for letter, columns in known.items() if letter not in out for c in columns]
    parts = [lay(c, axis, len(out)) for axis, letter in enumerate(out) for c in known[letter]]
    return separate(t.units, Ids(t.shape(node), parts_of(parts)))
