"""Finds the sums of a graph that may lose all terms but one; blocks.py says which those are and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph
from methods.graph.ops import TARGETS, kind_of

CARRYING = ("move", "pad", "pool", "quantize", "getitem")
"""Kinds that a skip may pass through on its way to the sum."""
COPYING = ("aten.clone.default", "aten.contiguous.default", "aten.alias.default", "aten.detach.default")
MASKING = ("aten.tril.default", "aten.triu.default")


@dataclass(frozen=True)
class Found:
    """A sum, the term that stays, what goes with the sum (in execution order), and the parameters only that reads."""

    add: fx.Node
    kept: fx.Node
    nodes: tuple[fx.Node, ...]
    parameters: tuple[str, ...]


def find_blocks(graph: Graph) -> list[Found]:
    """All blocks, in execution order of their sums. Takes time in proportion to the nodes that skips reach over."""
    search = _Search(graph)
    found = [block for node in graph.nodes if _is_sum(node) for block in search.at(node)]
    facts = _facts(graph, {n.name for block in found for n in (block.add, block.kept)}) if found else {}
    return [block for block in found if facts[block.add.name] == facts.get(block.kept.name)]


class _Search:
    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes
        self.place = {node: i for i, node in enumerate(self.nodes)}
        self.trainable = {name for name, _ in graph.module.named_parameters()}
        self.readers: dict[str, set[fx.Node]] = {}
        for node in self.nodes:
            if node.op == "get_attr":
                self.readers.setdefault(str(node.target), set()).add(node)

    def at(self, add: fx.Node) -> Iterator[Found]:
        """The block whose sum this is, if any: at most one term can be what all the others are computed from."""
        terms = list(_terms(add))
        nodes = [node for node, _ in terms]
        for kept, plain in terms:
            if not plain or kept.op == "get_attr" or nodes.count(kept) > 1:
                continue
            gone = _goes_with(add, kept)
            if self._reads_parameter(gone) and self._apart(add, kept, [n for n in nodes if n is not kept], gone):
                yield Found(add, kept, tuple(sorted(gone, key=self.place.__getitem__)), self._owned(gone))

    def _reads_parameter(self, nodes: set[fx.Node]) -> bool:
        """Parameters shared with other places count, though they stay: what is computed with them goes."""
        read = {a for n in nodes for a in n.all_input_nodes}
        return any(n.op == "get_attr" and n.target in self.trainable for n in read)

    def _owned(self, nodes: set[fx.Node]) -> tuple[str, ...]:
        names = {str(n.target) for n in nodes if n.op == "get_attr"} & self.trainable
        return tuple(name for name in self.readers if name in names and self.readers[name] <= nodes)

    def _apart(self, add: fx.Node, kept: fx.Node, others: Sequence[fx.Node], gone: set[fx.Node]) -> bool:
        """Whether the other terms are computed from what is kept, and nothing on the way is read from outside."""
        for source in _sources(kept):
            made = self._computed_from(source, add)
            if all(term in made for term in others):
                read = {a for n in gone if not _reads_shape_alone(n) for a in n.all_input_nodes}
                return not (read - gone - {kept}) & made
        return False

    def _computed_from(self, source: fx.Node, end: fx.Node) -> set[fx.Node]:
        """What depends on the values of `source`, up to `end`."""
        made: set[fx.Node] = set()
        for node in self.nodes[self.place[source] + 1 : self.place[end]]:
            if not _reads_shape_alone(node) and any(a is source or a in made for a in node.all_input_nodes):
                made.add(node)
        return made


def _is_sum(node: fx.Node) -> bool:
    return node.target is TARGETS["aten.add.Tensor"] and all(isinstance(a, fx.Node) for a in node.args[:2])


def _reads_shape_alone(node: fx.Node) -> bool:
    kind = kind_of(node.target)
    return kind == "size" or (kind == "create" and str(node.target) not in MASKING)


def _terms(add: fx.Node, plain: bool = True) -> Iterator[tuple[fx.Node, bool]]:
    """What a sum adds up, through sums that only it reads, and whether each counts once (`alpha` is 1)."""
    once = plain and bool(add.kwargs.get("alpha", 1) == 1)
    for operand, counts_once in zip(add.args[:2], (plain, once), strict=True):
        assert isinstance(operand, fx.Node)
        if _is_sum(operand) and list(operand.users) == [add]:
            yield from _terms(operand, counts_once)
        else:
            yield operand, counts_once


def _goes_with(add: fx.Node, kept: fx.Node) -> set[fx.Node]:
    """Everything that nobody needs any more once the readers of `add` read `kept`."""
    gone: set[fx.Node] = set()
    readers_left: dict[fx.Node, int] = {}
    waiting = [add]
    while waiting:
        for node in waiting.pop().all_input_nodes:
            if node is kept or node.op == "placeholder":
                continue
            readers_left[node] = readers_left.get(node, len(node.users)) - 1
            if not readers_left[node]:
                gone.add(node)
                waiting.append(node)
    return gone


def _sources(kept: fx.Node) -> Iterator[fx.Node]:
    """A value and those that it was made of without any arithmetic between channels, nearest first."""
    value: object = kept
    while isinstance(value, fx.Node) and value.op != "get_attr":
        yield value
        if value.op != "call_function":
            return
        if kind_of(value.target) not in CARRYING and str(value.target) not in COPYING:
            return
        value = value.args[0]


Fact = tuple[tuple[int, ...], torch.dtype]


class _Watch(fx.Interpreter):
    """Keeps shape and type of some values; on the device `meta` nothing is computed but those."""

    def __init__(self, module: fx.GraphModule, names: Collection[str], device: str) -> None:
        super().__init__(module)
        self.names, self.device = names, device
        self.facts: dict[str, Fact] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            value = value.to(self.device)
            if n.name in self.names:
                self.facts[n.name] = (tuple(value.shape), value.dtype)
        return value


def _facts(graph: Graph, names: Collection[str]) -> dict[str, Fact]:
    """Node name -> shape and type at a batch of two."""
    example = graph.example(2)
    for device in ("meta", "cpu"):
        watch = _Watch(graph.module, names, device)
        try:
            with torch.no_grad():
                watch.run(*(x.to(device) for x in example))
        except (RuntimeError, NotImplementedError):
            if device == "cpu":
                raise
            continue
        return watch.facts
    return {}
