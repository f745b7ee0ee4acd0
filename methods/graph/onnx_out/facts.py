"""What is known about every value of a graph before it is exported: shapes with a free batch, element types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, first_line
from methods.graph.onnx_out.types import ExportError
from methods.graph.ops import kind_of

ODD = -(2**40)
"""An axis that changes with the batch size but is no multiple of it."""


@dataclass(frozen=True)
class Fact:
    """One value: `shape` holds -k for an axis of k times the batch and ODD for one that changes otherwise.

    `number` is the value itself of a size that does not change with the batch, else None.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    number: int | None = None


class _Runner(fx.Interpreter):
    """Runs the graph once and keeps shape, type and, for sizes, the value of every result."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.found: dict[fx.Node, list[Fact]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.found[n] = [_seen(v) for v in (value if isinstance(value, list | tuple) else [value])]
        return value


def _seen(value: Any) -> Fact:
    if isinstance(value, Tensor):
        return Fact(tuple(value.shape), value.dtype)
    return Fact((), torch.int64, value if isinstance(value, int) else None)


def facts_of(graph: Graph) -> dict[fx.Node, list[Fact]]:
    """Node -> what is known of its results, found by running two batch sizes.

    Raises:
        ExportError: the graph does not run.
    """
    runs = []
    for batch in (2, 3):
        runner = _Runner(graph.module)
        try:
            with torch.no_grad():
                runner.run(*graph.example(batch))
        except Exception as error:
            raise ExportError(f"the graph does not run at batch size {batch}: {first_line(error)}") from error
        runs.append(runner.found)
    return {n: [_merged(a, b) for a, b in zip(facts, runs[1][n], strict=True)] for n, facts in runs[0].items()}


def _merged(two: Fact, three: Fact) -> Fact:
    shape = tuple(_size(a, b) for a, b in zip(two.shape, three.shape, strict=True))
    return Fact(shape, two.dtype, two.number if two.number == three.number else None)


def _size(two: int, three: int) -> int:
    if two == three:
        return two
    return two - three if 3 * two == 2 * three else ODD


def constants_of(graph: Graph, facts: dict[fx.Node, list[Fact]]) -> set[fx.Node]:
    """Nodes whose value is the same whatever goes in: they depend on parameters, numbers and fixed sizes alone."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "get_attr" or (node.op == "call_function" and _is_constant(node, facts[node], found)):
            found.add(node)
    return found


def _is_constant(node: fx.Node, facts: list[Fact], found: set[fx.Node]) -> bool:
    if facts and facts[0].number is not None:
        return True
    return kind_of(node.target) != "unknown" and all(n in found for n in node.all_input_nodes)
