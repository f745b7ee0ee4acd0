"""What everything between layers does to ids: elementwise operators, data movement, contractions, reductions."""

from __future__ import annotations

from typing import Any

from torch import fx

from methods.graph.coupling.contractions import attention, einsum, matmul
from methods.graph.coupling.ids import Ids, lay, match, moved, parts_of, separate, unify
from methods.graph.coupling.known import Known
from methods.graph.coupling.layers import SCALED, Rule, unlike
from methods.graph.nodes import argument, has_argument, name_of


def unary(t: Known, node: fx.Node) -> Ids:
    return t.ids(node.args[0])


def binary(t: Known, node: fx.Node) -> Ids:
    """Elementwise with broadcasting: operands of one size go in step, those spread along an axis follow."""
    reason = unlike(node)
    return unify(t.units, [t.ids(a) for a in node.all_input_nodes if _is_value(t, a)], t.shape(node), reason)


def _is_value(t: Known, node: fx.Node) -> bool:
    return isinstance(t.env[node], Ids)


def prelu(t: Known, node: fx.Node) -> Ids:
    """One slope per entry of axis 1, or one for all."""
    x, weight = t.clear(node.args[0]), t.clear(node.args[1])
    if weight.shape[:1] != (1,):
        match(t.units, x.on(1), weight.on(0), SCALED)
    return separate(t.units, x)


def glu(t: Known, node: fx.Node) -> Ids:
    """One half of an axis times the sigmoid of the other."""
    axis = int(argument(node, "dim"))
    first, second = moved(t.units, t.clear(node.args[0]), lambda p: p.chunk(2, axis))
    return unify(t.units, [first, second], t.shape(node), f"{node.name} joins its halves")


def pool(t: Known, node: fx.Node) -> Ids:
    """Over space, each channel by itself."""
    x = t.clear(node.args[0])
    for axis in range(2, len(x.shape)):
        t.units.freeze_all(x.on(axis), f"{node.name} works across it")
    return Ids(t.shape(node), tuple(p for a in (0, 1) for p in x.parts if p.shape[a] > 1))


# -- reductions and the like -----------------------------------------------------------------------------------

SUMS = ("mean", "sum", "var", "std", "norm", "linalg_vector_norm", "amax", "amin")
"""Reductions that make sense over fewer channels: the sum, mean, spread or extreme of those that are left."""


def reduce(t: Known, node: fx.Node) -> Any:
    """Over some axes, or all: what is reduced is read there and gone."""
    x = t.clear(node.args[0])
    dims = argument(node, "dim") if has_argument(node, "dim") else None
    dims = [dims] if isinstance(dims, int) else list(dims or range(len(x.shape)))
    axes = sorted({int(d) % max(1, len(x.shape)) for d in dims}, reverse=True)
    for axis in axes:
        if name_of(node) in SUMS:
            t.reads += x.on(axis)
        else:
            t.units.freeze_all(x.on(axis), f"{node.name} looks for one of its entries")
    kept = x.without(*axes) if x.shape else ()
    if len(t.shape(node)) == len(x.shape):
        return Ids(t.shape(node), kept)
    return Ids(t.shape(node), tuple(p.squeeze(tuple(axes)) for p in kept))


def softmax(t: Known, node: fx.Node) -> Ids:
    """softmax and running sums: every entry of the axis counts for the others."""
    t.pins.append(
        (t.ids(node.args[0]), int(argument(node, "dim")), f"{node.name} weighs its entries against each other")
    )
    return t.ids(node.args[0])


def create(t: Known, node: fx.Node) -> Ids:
    """Values made of one number take any size that is asked for; others keep theirs."""
    name = name_of(node)
    if name.endswith("_like") or name in ("tril", "triu"):
        for axis in (-1, -2) if name in ("tril", "triu") else ():
            t.pins.append((t.ids(node.args[0]), axis, f"{node.name} counts its entries"))
        return t.ids(node.args[0])
    shape = t.shape(node)
    if name not in ("zeros", "ones", "full"):
        return Ids(shape)
    return Ids(shape, parts_of([lay(t.units.new(s), a, len(shape)) for a, s in enumerate(shape) if s > 1]))


def getitem(t: Known, node: fx.Node) -> Any:
    return t.env[node.args[0]][node.args[1]]  # type: ignore[index]


def size(t: Known, node: fx.Node) -> Any:
    """Arithmetic on sizes, carried out."""
    values: list[Any] = [t.env[a] if isinstance(a, fx.Node) else a for a in node.args]
    if name_of(node) == "sym_size":
        return values[0].shape[int(values[1])]
    return node.target(*values)  # type: ignore[operator]


RULES: dict[str, Rule] = {
    "unary": unary,
    "binary": binary,
    "prelu": prelu,
    "glu": glu,
    "matmul": matmul,
    "attention": attention,
    "einsum": einsum,
    "pool": pool,
    "reduce": reduce,
    "softmax": softmax,
    "create": create,
    "getitem": getitem,
    "size": size,
}
"""Kind or name of an operator -> its rule."""
