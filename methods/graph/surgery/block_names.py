"""What blocks are called: after the module that holds them, and the same for ever."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from torch import fx

from methods.graph.coupling.groups import owner_of
from methods.graph.ir import Graph
from methods.graph.ops import kind_of
from methods.graph.surgery.block_search import Found

WEIGHT_AT = {"conv": 1, "conv_transpose": 1, "linear": 1, "embedding": 0}
"""Kind -> the operand that is the layer's weight."""
PRODUCTS = ("recurrent", "matmul", "attention", "einsum")
"""Kinds whose weights are operands like any other."""


def key(add: str) -> str:
    """Under which a graph's `sites` remember the name of the block of a sum, once other blocks have been removed."""
    return f"{add}.block"


def site_names(graph: Graph, found: Sequence[Found]) -> list[str]:
    """One site per block: `block:layer1.0`. A name that is taken already gets a number: `block:layer#2`."""
    every = _places(graph, graph.nodes)
    taken = set(graph.sites.values())
    names = []
    for block in found:
        name = graph.sites.get(key(block.add.name))
        if name is None:
            name = _free("block:" + _module(graph, block, every), taken)
            taken.add(name)
        names.append(name)
    return names


def _free(name: str, taken: set[str]) -> str:
    copies = (f"{name}#{i}" for i in range(2, len(taken) + 3))
    return name if name not in taken else next(c for c in copies if c not in taken)


def _module(graph: Graph, block: Found, every: list[str]) -> str:
    """The module that holds the block's layers and no others; the first layer where there is no such module."""
    inside = _places(graph, block.nodes) or _owners(graph, block.nodes)
    common = _common(inside)
    outside = set(every) - set(inside)
    if not common or any(_within(place, common) for place in outside):
        return inside[0]
    return common


def _places(graph: Graph, nodes: Iterable[fx.Node]) -> list[str]:
    """Where the weights of the layers among `nodes` stand: names of modules, as they were before any rewriting."""
    weights = []
    for node in nodes:
        kind = kind_of(node.target)
        if kind in WEIGHT_AT:
            weights.append(_parameter_behind(node.args[WEIGHT_AT[kind]]))
        elif kind in PRODUCTS:
            weights += [str(a.target) for a in node.all_input_nodes if a.op == "get_attr"]
    return list(dict.fromkeys(_owner(graph, name) for name in weights if name))


def _parameter_behind(value: object) -> str:
    """The name of the parameter that a weight is made of, piece of a larger one or not; empty where it is computed."""
    while isinstance(value, fx.Node):
        if value.op == "get_attr":
            return str(value.target)
        if kind_of(value.target) not in ("quantize", "lookup", "move", "binary", "getitem"):
            return ""
        value = value.args[0]
    return ""


def _owners(graph: Graph, nodes: Iterable[fx.Node]) -> list[str]:
    """The modules of all parameters that `nodes` read, for blocks without layers."""
    read = [a for n in nodes for a in n.all_input_nodes if a.op == "get_attr"]
    return list(dict.fromkeys(_owner(graph, str(a.target)) for a in read))


def _owner(graph: Graph, parameter: str) -> str:
    """The module of a parameter: `fc1` for `fc1.weight`, also where that has become `fc1.u.weight`."""
    place = graph.sites.get(parameter, parameter).removeprefix("weight:")
    owner = owner_of(place)
    return owner if owner != place or parameter in graph.sites else place.rpartition(".")[0] or place


def _common(places: Sequence[str]) -> str:
    """The longest path of modules that all share."""
    levels = zip(*(place.split(".") for place in places), strict=False)
    return ".".join(level[0] for level in takewhile(lambda level: len(set(level)) == 1, levels))


def _within(place: str, module: str) -> bool:
    return place == module or place.startswith(module + ".")
