"""Sites: where a graph can be changed. A recipe names them as they were in the untouched network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.graph.surgery.blocks import blocks

Value = TypeVar("Value")


def sites_of(graph: Graph, kind: str) -> Collection[str]:
    """The sites whose names begin with `kind`: `weight`, `block`, or what channels, heads and groups are called."""
    if kind == "weight":
        return {use.site for use in graph.weight_uses()}
    return blocks(graph) if kind == "block" else couple(graph).groups


def surviving(choices: Mapping[str, Value], graph: Graph, original: Graph) -> dict[str, Value]:
    """The choices without those at sites that `original` has and `graph` lost with a block that was left out.

    Sites that neither has stay, for whoever applies the choices to refuse.
    """
    left: dict[str, Value] = {}
    for kind in dict.fromkeys(site.partition(":")[0] for site in choices):
        mine = {site: value for site, value in choices.items() if site.partition(":")[0] == kind}
        there = sites_of(graph, kind)
        lost = set(mine) - set(there)
        lost = lost & set(sites_of(original, kind)) if lost else lost
        left |= {site: value for site, value in mine.items() if site not in lost}
    return left
