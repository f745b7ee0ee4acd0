"""Carries channel ids through a graph, operator kind by operator kind; see coupling.py for the idea."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.coupling import FIXED, Coupling, Units, Vector, build_groups, spread, varying_axes, vector_of
from methods.graph.ir import Graph, value_shapes
from methods.graph.ops import kind_of

Ids = Any
"""An id tensor, a list of them, a Parameter marker, or a plain size."""


class Parameter(str):
    """A parameter's name standing for its value until an operator says how it is used."""


def couple(graph: Graph) -> Coupling:
    """The coupling of a graph, remembered with the graph (rewrites make new graphs)."""
    if graph.coupling is None:
        graph.coupling = _Trace(graph).run()
    return graph.coupling


class _Trace:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.units = Units()
        self.env: dict[fx.Node, Ids] = {}
        self.shapes = value_shapes(graph, batch=2)

    def run(self) -> Coupling:
        for node in self.graph.nodes:
            self.env[node] = self._visit(node)
        vectors = {n.name: [self._vector(v) for v in _listed(ids)] for n, ids in self.env.items()}
        groups, frozen = build_groups(self.units)
        return Coupling(groups, tuple(frozen), vectors, self.shapes)

    def _vector(self, ids: Ids) -> Vector | None:
        if not isinstance(ids, Tensor) or ids.dim() == 0 or bool((ids == FIXED).all()):
            return None
        axes = varying_axes(ids) or [1 if ids.dim() > 1 else 0]
        found = vector_of(ids, axes[0])
        return None if found is None else Vector(axes[0], self.units.roots(found))

    def _visit(self, node: fx.Node) -> Ids:
        if node.op == "placeholder":
            return torch.full(self.shapes[node.name][0], FIXED)
        if node.op == "get_attr":
            return Parameter(str(node.target))
        if node.op == "output":
            for value in node.args[0]:  # type: ignore[union-attr]
                self._freeze(self.env[value], "it is an output of the network")  # type: ignore[index]
            return None
        kind = kind_of(node.target)
        return getattr(self, f"_{kind}", self._barrier)(node)

    # -- helpers ----------------------------------------------------------------------------------------------

    def _arg(self, node: fx.Node, position: int, default: Any = None) -> Any:
        value = node.args[position] if position < len(node.args) else default
        return self.env[value] if isinstance(value, fx.Node) else value

    def _shape(self, node: fx.Node) -> tuple[int, ...]:
        return self.shapes[node.name][0]

    def _fixed(self, node: fx.Node) -> Ids:
        shapes = self.shapes[node.name]
        made = [torch.full(s, FIXED) for s in shapes]
        return made[0] if len(made) == 1 and kind_of(node.target) != "recurrent" else made

    def _freeze(self, ids: Ids, reason: str) -> None:
        for value in _listed(ids):
            if isinstance(value, Tensor):
                self.units.freeze(value, reason)

    def _barrier(self, node: fx.Node, reason: str = "") -> Ids:
        name = str(node.target).removeprefix("aten.").split(".")[0]
        for value in node.all_input_nodes:
            self._freeze(self.env[value], reason or f"{name} mixes its channels")
        return self._fixed(node)

    def _channels(self, node: fx.Node, ids: Ids, axis: int) -> Tensor | None:
        """Ids along the channel axis, or None (frozen) where they don't line up."""
        found = vector_of(ids, axis) if isinstance(ids, Tensor) else None
        if found is None:
            self._freeze(ids, f"its channels don't line up at {node.name}")
        return found

    def _direct(self, node: fx.Node, position: int) -> str | None:
        value = self._arg(node, position)
        return str(value) if isinstance(value, Parameter) else None

    # -- layers ------------------------------------------------------------------------------------------------

    def _layer(self, node: fx.Node, axis: int, out_dim: int, in_dim: int) -> Ids:
        weight, bias = self._direct(node, 1), self._direct(node, 2)
        ids = self._arg(node, 0)
        if weight is None:
            return self._barrier(node, "the weight that reads it is computed, shared or quantised")
        channels = self._channels(node, ids, axis)
        if channels is not None:
            self.units.attach(channels, weight, in_dim, "in")
        made = self.units.new(self.graph.tensor(weight).shape[out_dim])
        self.units.attach(made, weight, out_dim, "out")
        if bias is not None:
            self.units.attach(made, bias, 0, "along")
        return spread(made, axis, self._shape(node))

    def _linear(self, node: fx.Node) -> Ids:
        return self._layer(node, -1, 0, 1)

    def _conv(self, node: fx.Node) -> Ids:
        groups = int(self._arg(node, 6, 1))
        if groups == 1:
            return self._layer(node, 1, 0, 1)
        weight, bias, ids = self._direct(node, 1), self._direct(node, 2), self._arg(node, 0)
        channels = self._channels(node, ids, 1) if weight is not None else None
        if channels is None or weight is None or not (groups == ids.shape[1] == self._shape(node)[1]):
            return self._barrier(node, f"the grouped convolution {weight or node.name} fixes it")
        self.units.attach(channels, weight, 0, "along")
        if bias is not None:
            self.units.attach(channels, bias, 0, "along")
        return spread(channels, 1, self._shape(node))

    def _conv_transpose(self, node: fx.Node) -> Ids:
        if int(self._arg(node, 6, 1)) != 1:
            return self._barrier(node, "the grouped transposed convolution fixes it")
        return self._layer(node, 1, 1, 0)

    def _batch_norm(self, node: fx.Node) -> Ids:
        channels = self._channels(node, self._arg(node, 0), 1)
        if channels is None:
            return self._fixed(node)
        for position in range(1, 5):
            name = self._direct(node, position)
            if name is not None:
                self.units.attach(channels, name, 0, "along")
        return self._arg(node, 0)

    def _norm(self, node: fx.Node) -> Ids:
        name = str(node.target).removeprefix("aten.").split(".")[0]
        return self._barrier(node, f"{name} normalises over its channels")

    def _embedding(self, node: fx.Node) -> Ids:
        weight = self._direct(node, 0)
        if weight is None:
            return self._barrier(node)
        made = self.units.new(self.graph.tensor(weight).shape[1])
        self.units.attach(made, weight, 1, "out")
        return spread(made, -1, self._shape(node))

    # -- values ------------------------------------------------------------------------------------------------

    def _unary(self, node: fx.Node) -> Ids:
        ids = self._arg(node, 0)
        return self._fixed(node) if isinstance(ids, Parameter) else ids

    def _quantize(self, node: fx.Node) -> Ids:
        return self._unary(node)

    def _binary(self, node: fx.Node) -> Ids:
        a, b = self._arg(node, 0), self._arg(node, 1)
        if isinstance(a, Parameter) and isinstance(b, Parameter):
            return self._fixed(node)
        if isinstance(a, Parameter) or isinstance(b, Parameter):
            value, parameter = (b, a) if isinstance(a, Parameter) else (a, b)
            return self._with_parameter(node, value, str(parameter))
        if not isinstance(a, Tensor) or not isinstance(b, Tensor):
            return a if isinstance(a, Tensor) else b
        return self._elementwise(node, a, b)

    def _elementwise(self, node: fx.Node, a: Tensor, b: Tensor) -> Ids:
        shape = self._shape(node)
        for one, other in ((a, b), (b, a)):
            axes = varying_axes(one.expand(shape)) if one.dim() <= len(shape) else []
            offset = len(shape) - other.dim()
            if axes and all(x < offset or other.shape[x - offset] == 1 for x in axes):
                self._freeze(other, f"it is spread over other channels at {node.name}")
                return one.expand(shape)
        return self.units.unite_tensors(
            a.expand(shape), b.expand(shape), f"{node.name} joins it with values that can't be pruned"
        )

    def _with_parameter(self, node: fx.Node, ids: Tensor, parameter: str) -> Ids:
        shape, size = self._shape(node), self.graph.tensor(parameter).shape
        ids = ids.expand(shape)
        axes = varying_axes(ids)
        if not axes:
            return ids
        dim = axes[0] - (len(shape) - len(size))
        if len(axes) > 1 or (dim >= 0 and size[dim] not in (1, shape[axes[0]])):
            self._freeze(ids, f"its channels don't line up with {parameter}")
        elif dim >= 0 and size[dim] > 1:
            channels = vector_of(ids, axes[0])
            if channels is not None:
                self.units.attach(channels, parameter, dim, "along")
        return ids

    def _move(self, node: fx.Node) -> Ids:
        def fixed(value: fx.Node) -> Ids:
            ids = self.env[value]
            return torch.full(self.graph.tensor(ids).shape, FIXED) if isinstance(ids, Parameter) else ids

        target: Callable[..., Any] = node.target  # type: ignore[assignment]
        moved = target(*fx.map_arg(node.args, fixed), **fx.map_arg(node.kwargs, fixed))
        for value in _listed(moved):
            if len(varying_axes(value)) > 1:
                self._freeze(value, f"{node.name} splits its channels over two axes")
        if str(node.target).startswith(("aten.select", "aten.unbind")):
            self._freeze(
                self._arg(node, 0) if not _same_rank_vector(moved, self._arg(node, 0)) else None, "picked apart"
            )
        return moved

    def _pool(self, node: fx.Node) -> Ids:
        channels = self._channels(node, self._arg(node, 0), 1)
        return self._fixed(node) if channels is None else spread(channels, 1, self._shape(node))

    def _pad(self, node: fx.Node) -> Ids:
        ids, widths = self._arg(node, 0), self._arg(node, 1)
        axis = (varying_axes(ids) or [1])[0]
        padded = {ids.dim() - 1 - i // 2 for i, width in enumerate(widths) if width}
        channels = self._channels(node, ids, axis)
        if channels is None or axis in padded:
            return self._barrier(node, f"{node.name} pads its channels")
        return spread(channels, axis, self._shape(node))

    def _reduce(self, node: fx.Node) -> Ids:
        ids, dims = self._arg(node, 0), self._arg(node, 1)
        if isinstance(ids, Parameter) or not dims:
            return self._barrier(node)
        reduced = sorted({d % ids.dim() for d in dims}, reverse=True)
        if set(reduced) & set(varying_axes(ids)):
            return self._barrier(node, f"{node.name} sums over its channels")
        for d in reduced:
            ids = ids.narrow(d, 0, 1)
        return ids.reshape(self._shape(node))

    def _softmax(self, node: fx.Node) -> Ids:
        ids, dim = self._arg(node, 0), int(self._arg(node, 1))
        if dim % ids.dim() in varying_axes(ids):
            self._freeze(ids, f"{node.name} normalises over its channels")
        return ids

    def _getitem(self, node: fx.Node) -> Ids:
        return self._arg(node, 0)[node.args[1]]

    def _size(self, node: fx.Node) -> Ids:
        value = self._arg(node, 0)
        if isinstance(value, Tensor):
            return value.shape[int(self._arg(node, 1))]
        return node.target(value, self._arg(node, 1))  # type: ignore[operator]


def _listed(ids: Ids) -> list[Any]:
    return list(ids) if isinstance(ids, list | tuple) else [ids]


def _same_rank_vector(moved: Ids, ids: Ids) -> bool:
    """Whether picking one entry of an axis left the channel axis whole."""
    before = varying_axes(ids) if isinstance(ids, Tensor) else []
    after = [varying_axes(v) for v in _listed(moved) if isinstance(v, Tensor)]
    return all(len(a) == len(before) for a in after)
