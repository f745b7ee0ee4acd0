"""Taps: values inside a graph as further outputs, so that a loss can see them; taken off again without a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import fx

from methods.graph.ir import Graph


@contextmanager
def tapped(graph: Graph, nodes: Sequence[fx.Node]) -> Iterator[None]:
    """While it lasts, calling `graph` gives the values of `nodes` too, after its own outputs."""
    output = graph.nodes[-1]
    own = output.args
    output.args = ((*_outputs(output), *nodes),)
    graph.module.recompile()
    try:
        yield
    finally:
        output.args = own
        graph.module.recompile()


def cut_at(graph: Graph, name: str) -> Graph:
    """A new graph that ends at the node of that name, whose value is its one output."""
    result = graph.clone()
    result.nodes[-1].args = ((result.node(name),),)
    result.remove_unused()
    return result


def _outputs(output: fx.Node) -> tuple[fx.Node, ...]:
    found = output.args[0]
    return tuple(n for n in (found if isinstance(found, list | tuple) else [found]) if isinstance(n, fx.Node))
