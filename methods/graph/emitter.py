"""Emitter: collects an ONNX graph while a Graph is walked; what every translation is written against."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, fx

from methods.graph.ir import Graph, GraphError, value_shapes


class ExportError(GraphError):
    """A graph has no faithful ONNX form."""


class Emitter:
    """Collects ONNX nodes and initializers while a graph is walked.

    Attributes:
        shapes: node name -> output shapes; an axis that follows the batch size is -k for "k times the batch".
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names: dict[fx.Node, Any] = {}
        self.folded: dict[fx.Node, Tensor] = {}
        self.shapes = _free_shapes(graph)
        self._count = 0
        self._known: dict[tuple[Any, ...], str] = {}
        self._batch = ""

    def fresh(self, hint: str) -> str:
        self._count += 1
        return f"{hint}_{self._count}"

    def emit(self, op: str, inputs: list[str], outputs: int = 1, name: str = "", **attributes: Any) -> Any:
        """Adds a node; returns its output name, or a list of them where `outputs` > 1. `name` names the first."""
        base = name or self.fresh(op.lower())
        made = [base] if outputs == 1 else [f"{base}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, made, name=f"{base}/{op}", **attributes))
        return made[0] if outputs == 1 else made

    def constant(self, value: NDArray[Any], name: str = "") -> str:
        """An initializer; equal unnamed small ones are shared."""
        key = (value.dtype.str, value.shape, value.tobytes()) if not name and value.size <= 64 else None
        if key in self._known:
            return self._known[key]
        name = name or self.fresh("const")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        if key is not None:
            self._known[key] = name
        return name

    def ints(self, values: list[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def value(self, item: Any) -> str:
        """The ONNX name of an operand: a node's value, a parameter, or a number."""
        if isinstance(item, fx.Node):
            if item not in self.names:
                self.names[item] = self.constant(self.fold(item).numpy(), item.name)
            name: str = self.names[item]
            return name
        return self.constant(np.array(item, dtype=np.float32))

    def fold(self, node: fx.Node) -> Tensor:
        """The value of a node that depends on parameters alone."""
        if node not in self.folded:
            if node.op == "get_attr":
                self.folded[node] = self.graph.tensor(str(node.target)).detach()
            else:
                args = fx.map_arg(node.args, self.fold)
                with torch.no_grad():
                    self.folded[node] = node.target(*args, **node.kwargs)  # type: ignore[operator]
        return self.folded[node]

    def shape(self, node: Any, output: int = 0) -> tuple[int, ...]:
        return self.shapes[node.name][output]

    def reshape_target(self, shape: tuple[int, ...]) -> str:
        """A shape tensor: the one axis that follows the batch is -1."""
        free = [i for i, size in enumerate(shape) if size < 0]
        if len(free) > 1:
            raise ExportError(f"a reshape to {shape} has more than one axis that follows the batch size")
        return self.ints([-1 if size < 0 else size for size in shape])

    def full_shape(self, shape: tuple[int, ...]) -> str:
        """A shape tensor with the batch size read at run time."""
        if all(size >= 0 for size in shape):
            return self.ints(list(shape))
        if not self._batch:
            first = self.graph.inputs[0].name
            whole = self.emit("Shape", [first])
            self._batch = self.emit("Slice", [whole, self.ints([0]), self.ints([1]), self.ints([0])])
        parts = []
        for size in shape:
            if size >= 0:
                parts.append(self.ints([size]))
            else:
                parts.append(self._batch if size == -1 else self.emit("Mul", [self._batch, self.ints([-size])]))
        name: str = self.emit("Concat", parts, axis=0)
        return name


def _free_shapes(graph: Graph) -> dict[str, list[tuple[int, ...]]]:
    """Shapes with batch-dependent axes marked, found by running two batch sizes."""
    two, three = value_shapes(graph, 2), value_shapes(graph, 3)
    result = {}
    for name, shapes in two.items():
        pairs = zip(shapes, three[name], strict=True)
        result[name] = [tuple(a if a == b else -(b - a) for a, b in zip(x, y, strict=True)) for x, y in pairs]
    return result
