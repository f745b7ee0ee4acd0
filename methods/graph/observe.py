"""Watching the values inside a graph while it runs on data, and stepping in between its nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph

BATCH = 64

Hook = Callable[[Tensor], None]


def batches(inputs: tuple[Tensor, ...], size: int = BATCH) -> Iterator[tuple[Tensor, ...]]:
    """The samples of `inputs` (one tensor per model input, `[n, ...]`) in order, `size` at a time."""
    for start in range(0, len(inputs[0]), size):
        yield tuple(x[start : start + size] for x in inputs)


def outputs(graph: Graph, inputs: tuple[Tensor, ...], size: int = 4 * BATCH) -> tuple[Tensor, ...]:
    """All outputs for all samples, `[n, ...]` each. No gradients."""
    with torch.no_grad():
        rows = [graph(*batch) for batch in batches(inputs, size)]
    return tuple(torch.cat(column) for column in zip(*rows, strict=True))


def observe(
    graph: Graph, inputs: tuple[Tensor, ...], names: Collection[str], size: int = BATCH
) -> Iterator[dict[str, Tensor]]:
    """For each batch: node name -> its value `[batch, ...]`, for the nodes in `names`. No gradients."""
    for batch in batches(inputs, size):
        seen: dict[str, Tensor] = {}
        step_through(graph, batch, after={name: _keep(seen, name) for name in names})
        yield seen


def step_through(
    graph: Graph,
    inputs: tuple[Tensor, ...],
    before: Mapping[str, Hook] | None = None,
    after: Mapping[str, Hook] | None = None,
) -> None:
    """Runs all samples as one batch. `before[name]` is told a node's first operand before the node runs, and may change
    the parameters that it reads in place; `after[name]` is told the node's value. No gradients.
    """
    with torch.no_grad():
        _Stepper(graph.module, before or {}, after or {}).run(*inputs)


def _keep(seen: dict[str, Tensor], name: str) -> Hook:
    def keep(value: Tensor) -> None:
        seen[name] = value

    return keep


class _Stepper(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, before: Mapping[str, Hook], after: Mapping[str, Hook]) -> None:
        super().__init__(module)
        self.before = before
        self.after = after

    def run_node(self, n: fx.Node) -> Any:
        if n.name in self.before and isinstance(n.args[0], fx.Node):
            self.before[n.name](self.env[n.args[0]])
        value = super().run_node(n)
        if n.name in self.after:
            self.after[n.name](value)
        return value
