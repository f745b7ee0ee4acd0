"""What is known of a graph's ids so far: the state that rules read and extend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, fx

from methods.graph.coupling.ids import Ids, listed, separate
from methods.graph.coupling.units import FIXED, Units
from methods.graph.ir import Graph, value_shapes
from methods.graph.nodes import is_several, name_of

MOST_STEPS = 8
"""Operators between a parameter and the layer that uses it, for it to count as that layer's weight."""


class Known:
    """Ids of every value so far; rules read and extend it.

    Attributes:
        env: node -> Ids, a list of them, or a plain size. parameters: name -> its ids. roles: how axes of parameters
        are used. pins: values whose entries along an axis are picked out one by one. reads: columns that some layer
        reads without a weight. named: columns with a name of their own. shuffles: see
        Coupling; soft: their steps.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.units = Units()
        self.env: dict[fx.Node, Any] = {}
        self.shapes = value_shapes(graph, batch=2)
        self.parameters: dict[str, Ids] = {}
        self.columns: dict[tuple[str, int], Tensor] = {}
        self.roles: dict[tuple[str, int], str] = {}
        self.pins: list[tuple[Ids, int, str]] = []
        self.reads: list[Tensor] = []
        self.named: list[tuple[str, Tensor]] = []
        self.shuffles: dict[fx.Node, tuple[fx.Node, int]] = {}
        self.soft: set[fx.Node] = set()

    def parameter(self, name: str) -> Ids:
        """A parameter's entries are units of their own along every axis, until something ties them to others."""
        if name not in self.parameters:
            value = self.graph.tensor(name)
            parts = []
            for axis, size in enumerate(value.shape if value.is_floating_point() else ()):
                if size > 1:
                    self.columns[name, axis] = self.units.new(size)
                    parts.append(self.columns[name, axis].reshape([-1 if a == axis else 1 for a in range(value.dim())]))
            self.parameters[name] = Ids(tuple(value.shape), tuple(parts))
        return self.parameters[name]

    def ids(self, value: Any) -> Ids:
        """The ids of an operand; none for a number."""
        found = self.env[value] if isinstance(value, fx.Node) else None
        return found if isinstance(found, Ids) else Ids(())

    def clear(self, value: Any) -> Ids:
        """The same, each part along one axis."""
        return separate(self.units, self.ids(value))

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        return self.shapes[node.name][0]

    def fixed(self, node: fx.Node) -> Any:
        """Ids without units, for every output of a node."""
        made = [Ids(s) for s in self.shapes[node.name]]
        return made[0] if len(made) == 1 and not is_several(node) else made

    def barrier(self, node: fx.Node, reason: str = "") -> Any:
        """Freezes all that goes in; nothing of it comes out."""
        for value in node.all_input_nodes:
            for ids in listed(self.env[value]):
                self.units.freeze_all(ids.parts, reason or f"{name_of(node)} mixes its channels")
        return self.fixed(node)

    def play(self, value: Any, dim: int, role: str) -> None:
        """Says how a layer uses an axis of a parameter, or of those that its weight is computed from; making channels
        counts before all else."""
        ids = self.ids(value)
        if not isinstance(value, fx.Node) or not ids.shape:
            return
        if value.op == "get_attr":
            self._use((str(value.target), dim % len(ids.shape)), role)
            return
        leaves = self.leaves(separate(self.units, ids).on(dim))
        for name in self._sources(value):
            for axis in range(len(self.parameters[name].shape)):
                if (name, axis) in self.columns and leaves & self.leaves([self.columns[name, axis]]):
                    self._use((name, axis), role)

    def _use(self, key: tuple[str, int], role: str) -> None:
        if self.roles.get(key) != "out":
            self.roles[key] = role

    def leaves(self, columns: Iterable[Tensor]) -> set[int]:
        """The units of some columns, products taken apart."""
        return {leaf for c in columns for part in self.units.columns(c) for leaf in part.unique().tolist()} - {FIXED}

    def _sources(self, value: fx.Node, steps: int = MOST_STEPS) -> list[str]:
        """The parameters that a weight is computed from."""
        if value.op == "get_attr":
            return [str(value.target)]
        if value.op != "call_function" or steps == 0:
            return []
        return [name for source in value.all_input_nodes for name in self._sources(source, steps - 1)]
