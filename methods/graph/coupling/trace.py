"""The walk that finds the coupling: ids are carried through a graph, operator by operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.coupling import between, layers, moves
from methods.graph.coupling.groups import Axes, Coupling, Slots, build_groups
from methods.graph.coupling.ids import Ids, listed, resolve, separate, varying
from methods.graph.coupling.known import Known
from methods.graph.ir import Graph
from methods.graph.nodes import name_of
from methods.graph.ops import kind_of

RULES = layers.RULES | moves.RULES | between.RULES
"""Kind of operator (or the operator's own name, which counts first) -> what it does to ids."""


def couple(graph: Graph, free: Sequence[int] = ()) -> Coupling:
    """The coupling of a graph, remembered with the graph (rewrites make new graphs).

    The last axis of the outputs whose numbers are in `free` may be cut too; without that, all outputs stay whole.
    """
    if free:
        return _Walk(graph, tuple(free)).run()
    if graph.coupling is None:
        graph.coupling = _Walk(graph).run()
    return graph.coupling


class _Walk:
    """Carries ids through a graph; `known` is what it has found so far."""

    def __init__(self, graph: Graph, free: tuple[int, ...] = ()) -> None:
        self.graph, self.free, self.known = graph, free, Known(graph)
        self.units, self.env = self.known.units, self.known.env

    def run(self) -> Coupling:
        for node in self.graph.nodes:
            self.env[node] = self._visit(node)
        self._settle()
        order = {key: place for place, key in enumerate(self.known.roles)}
        keys = sorted(self.known.columns, key=lambda key: order.get(key, len(order)))
        slots = [Slots(*key, self.known.roles.get(key, "along"), self.known.columns[key]) for key in keys]
        read = self.known.leaves(self.known.reads)
        labels = {leaf: name for name, column in self.known.named for leaf in self.known.leaves([column])}
        groups, frozen = build_groups(self.units, slots, read, labels)
        known = {id(ids): self._axes(ids) for value in self.env.values() for ids in listed(value)}
        axes = {node.name: [known[id(ids)] for ids in listed(value)] for node, value in self.env.items()}
        shuffles = {node.name: (source.name, axis) for node, (source, axis) in self.known.shuffles.items()}
        return Coupling(groups, frozen, axes, self.known.shapes, shuffles, len(self.units.parent))

    def _visit(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return self.known.fixed(node)
        if node.op == "get_attr":
            return self.known.parameter(str(node.target))
        if node.op == "output":
            return self._output(node)
        kind, name = kind_of(node.target), name_of(node)
        rule = RULES.get(name) or RULES.get(kind)
        return rule(self.known, node) if rule else self.known.barrier(node)

    def _output(self, node: fx.Node) -> None:
        values: Any = node.args[0]
        for number, value in enumerate(values):
            ids = self.env[value]
            if number in self.free:
                ids = separate(self.units, ids)
                self.known.reads += ids.on(-1)
                ids = Ids(ids.shape, ids.without(-1))
            self.units.freeze_all(ids.parts, "it is an output of the network")

    def _settle(self) -> None:
        """Makes every value a full rectangle, shuffles apart, and keeps what is picked out by position."""
        joint = {
            id(v): v for n, value in self.env.items() if n not in self.known.soft for v in listed(value) if v.joint
        }
        count = -1
        while count != len(self.units.parent):
            count = len(self.units.parent)
            joint = {key: separate(self.units, ids) for key, ids in joint.items()}
        for ids, axis, reason in self.known.pins:
            self.units.freeze_all(separate(self.units, ids).on(axis), reason)

    def _axes(self, ids: Ids) -> Axes:
        found: dict[int, list[Tensor]] = {}
        for part in resolve(self.units, ids).parts:
            axes = varying(part)
            if len(axes) == 1:
                found.setdefault(axes[0], []).append(part.reshape(-1))
        return {axis: torch.stack(columns, 1) for axis, columns in found.items()}
