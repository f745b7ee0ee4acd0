"""In-place operators become plain ones: later readers of what was written are handed the new value.

A write to a view (`x[:, 0] = 1`) is carried back to the tensor that it is a view of, and other views of that tensor
are made anew when they are next read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from methods.graph.intake.fakes import Fakes
from methods.graph.intake.spellings import is_in_place, plain_twin
from methods.graph.ir import GraphError

aten = torch.ops.aten
VIEWS = {"view", "reshape", "flatten", "unflatten", "transpose", "t", "permute", "movedim", "select", "slice", "narrow"}
VIEWS |= {"unsqueeze", "squeeze", "detach", "alias", "expand", "expand_as", "view_as", "diagonal", "unfold", "swapaxes"}
VIEWS |= {"split", "split_with_sizes", "chunk", "unbind", "mT", "numpy_T", "tensor_split"}
"""Operators whose result shares the memory of their first argument."""
WHOLE = 2**62
"""An end of a slice beyond every size."""


def without_writes(graph: fx.Graph, fakes: Fakes) -> fx.Graph:
    """The same computation without in-place operators.

    Raises:
        GraphError: a write whose effect can't be told: to a parameter or buffer (state that would have to outlive the
            call), or through a view that can't be inverted; the message names the node.
    """
    if not any(n.op == "call_function" and is_in_place(n.target) for n in graph.nodes):
        return graph
    return _Rewriter(graph, fakes).run()


class _Rewriter:
    """`base` leads from a view to what it looks at, `written` says when a memory was last written, `fresh` when a
    node's value was last made."""

    def __init__(self, graph: fx.Graph, fakes: Fakes) -> None:
        self.graph = graph
        self.fakes = fakes
        self.made = fx.Graph()
        self.new: dict[fx.Node, fx.Node] = {}
        self.base: dict[fx.Node, fx.Node] = {}
        self.written: dict[fx.Node, int] = {}
        self.fresh: dict[fx.Node, int] = {}
        self.clock = 0

    def run(self) -> fx.Graph:
        for node in self.graph.nodes:
            if node.op == "call_function" and is_in_place(node.target):
                self._write(node)
                continue
            self.new[node] = self.made.node_copy(node, self._read)
            self.fresh[node] = self.clock
            if self._looks_at_first(node):
                self.base[node] = node.args[0]
        return self.made

    def _looks_at_first(self, node: fx.Node) -> bool:
        """Whether the node's value shares memory with its first argument."""
        first = node.args[0] if node.args else None
        if node.op != "call_function" or not isinstance(first, fx.Node):
            return False
        name = _name(node)
        if name in ("reshape", "flatten", "contiguous", "to"):  # a view or a copy, as memory allows
            storages = [self.fakes.of(n).untyped_storage()._cdata for n in (node, first)]
            return bool(storages[0] == storages[1])
        return name in VIEWS or (name == "getitem" and first in self.base)

    def _root(self, node: fx.Node) -> fx.Node:
        while node in self.base:
            node = self.base[node]
        return node

    def _read(self, node: fx.Node) -> fx.Node:
        """The node's value now: a view is made anew where what it looks at was written since."""
        if node in self.base and self.fresh[node] < self.written.get(self._root(node), 0):
            again = self._read(self.base[node]) if is_in_place(node.target) else self.made.node_copy(node, self._read)
            self.new[node], self.fresh[node] = again, self.clock
        return self.new[node]

    def _write(self, node: fx.Node) -> None:
        target, written = plain_twin(node.target), node.args[0]
        if target is None or not isinstance(written, fx.Node):
            raise GraphError(f"node {node.name}: {node.target} writes in place, and there is no operator that doesn't")
        root = self._root(written)
        if root.op == "get_attr":
            raise GraphError(
                f"node {node.name}: {node.target} writes to {root.target}: the model keeps state between calls"
            )
        result = self.made.node_copy(node, self._read)
        result.target = target
        self.clock += 1
        self.written[root] = self.clock
        self.base[node] = written
        self._store(node, self._typed(node, target, written, result))

    def _typed(self, node: fx.Node, target: Any, written: fx.Node, result: fx.Node) -> fx.Node:
        """In-place operators keep the type of what they write to; plain ones may promote it."""
        before: torch.dtype = self.fakes.of(written).dtype
        read = [self.fakes.of(n) for n in node.all_input_nodes]
        if before.is_floating_point and all(getattr(v, "dtype", before) == before for v in read) and not _decides(node):
            return result
        args, kwargs = fx.map_arg((node.args, node.kwargs), self.fakes.of)
        with self.fakes.mode, torch.no_grad():
            if target(*args, **kwargs).dtype == before:
                return result
        return self.made.call_function(aten.to.dtype, (result, before))

    def _store(self, node: fx.Node, value: fx.Node) -> None:
        """Makes `value` what the old node means from now on, and what it is a view of accordingly."""
        while True:
            self.new[node] = value
            self.fresh[node] = self.clock
            if node not in self.base:
                return
            if is_in_place(node.target):
                node = self.base[node]
                continue
            node, value = self._scatter(node, value)

    def _scatter(self, view: fx.Node, value: fx.Node) -> tuple[fx.Node, fx.Node]:
        """The view's base, and the base's new value when the view's is `value`."""
        base = self.base[view]
        if _name(view) == "getitem":
            return self.base[base], self._scatter_part(base, int(view.args[1]), value)  # type: ignore[arg-type]
        name = _name(view)
        make = self.made.call_function
        rest: Any = fx.map_arg(view.args[1:], self._read)
        if name in ("detach", "alias", "contiguous", "to"):
            return base, value
        if name in ("transpose", "swapaxes"):
            return base, make(aten.transpose.int, (value, *rest))
        if name == "t":
            return base, make(aten.t.default, (value,))
        if name == "permute":
            order = [int(d) % len(rest[0]) for d in rest[0]]
            return base, make(aten.permute.default, (value, [order.index(i) for i in range(len(order))]))
        if name == "select":
            return base, make(aten.select_scatter.default, (self._read(base), value, *rest))
        if name in ("slice", "narrow"):
            return base, self._scatter_slice(name, base, value, rest)
        if name in ("unsqueeze", "squeeze", "view", "reshape", "flatten", "unflatten", "view_as"):
            return base, self._reshaped(base, value, view)
        raise GraphError(f"node {view.name}: an in-place write through {name} is not supported; assign a new tensor")

    def _scatter_slice(self, name: str, base: fx.Node, value: fx.Node, rest: Any) -> fx.Node:
        given: list[Any] = [*rest, *(0, None, None)[len(rest) :]]
        dim, start, end, *step = given
        if name == "narrow":
            end = start + end
        if not start and not step and (end is None or (isinstance(end, int) and end >= WHOLE)):
            return value
        return self.made.call_function(aten.slice_scatter.default, (self._read(base), value, dim, start, end, *step))

    def _scatter_part(self, parts: fx.Node, index: int, value: fx.Node) -> fx.Node:
        whole = self.base[parts]
        name = _name(parts)
        given = parts.args[2] if len(parts.args) > 2 else parts.kwargs.get("dim", 0)
        if name == "unbind":
            dim = parts.args[1] if len(parts.args) > 1 else 0
            return self.made.call_function(aten.select_scatter.default, (self._read(whole), value, dim, index))
        sizes = [p.shape[int(given)] for p in self.fakes.of(parts)]  # type: ignore[arg-type]
        start = sum(sizes[:index])
        if not all(isinstance(s, int) for s in sizes):
            raise GraphError(f"node {parts.name}: an in-place write to a part of the batch is not supported")
        args = (self._read(whole), value, given, start, start + sizes[index])
        return self.made.call_function(aten.slice_scatter.default, args)

    def _reshaped(self, base: fx.Node, value: fx.Node, view: fx.Node) -> fx.Node:
        sizes = [-1 if s is None else s for s in self.fakes.shape(base)]
        if sizes.count(-1) > 1:
            raise GraphError(f"node {view.name}: an in-place write through this reshape is not supported")
        return self.made.call_function(aten.reshape.default, (value, sizes))


def _decides(node: fx.Node) -> bool:
    """Whether the plain operator gives truth values."""
    return _name(node).rstrip("_") in ("eq", "ne", "lt", "le", "gt", "ge") or "logical" in _name(node)


def _name(node: fx.Node) -> str:
    """An operator's name without its namespace and overload."""
    if str(node.target).startswith("aten."):
        return str(node.target).removeprefix("aten.").split(".")[0]
    return str(getattr(node.target, "__name__", node.target))
