"""Emitter: collects an ONNX graph while a Graph is walked; what every translation is written against.

Values have three types inside an exported file, whatever they have in torch: 32-bit floats, 64-bit integers, truth
values. Inputs are cast where they enter, outputs where they leave: runtimes have kernels for these three everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, fx

from methods.graph.ir import Graph
from methods.graph.onnx_out.facts import ODD, Fact, constants_of, facts_of
from methods.graph.onnx_out.types import ExportError, element, inner, to_numpy

LARGEST_BYTES = 2**31 - 2**20
"""What a protobuf message can hold, less room for the nodes."""


class Emitter:
    """Collects ONNX nodes and initializers while a graph is walked.

    Attributes:
        facts: node -> shape and type of its results. constants: nodes whose value is known already.
        names: node -> the ONNX name of its value, or a list of them where it has several results.
        writing: the name of the node that is being written, which all names that it needs start with.
        lifted: a node of whole numbers that is being written in floats, None otherwise.
        raw: input -> the name of its value before the cast to an inner type.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.names: dict[fx.Node, Any] = {}
        self.raw: dict[fx.Node, str] = {}
        self.folded: dict[fx.Node, Any] = {}
        self.facts = facts_of(graph)
        self.constants = constants_of(graph, self.facts)
        self.writing = "graph"
        self.lifted: fx.Node | None = None
        self._count = 0
        self._bytes = 0
        self._known: dict[tuple[Any, ...], str] = {}
        self._reserved = {*graph.output_names, *(spec.name for spec in graph.inputs)}

    # -- names, nodes and constants ---------------------------------------------------------------------------

    def fresh(self, hint: str) -> str:
        """A name that no node of the graph can have, behind that of the node that is being written."""
        self._count += 1
        return f"{self.writing}/{hint}/{self._count}"

    def named(self, node: fx.Node) -> str:
        """The ONNX name for the value of a node: its own, unless an input or output is called so."""
        if node is self.lifted:
            return self.fresh("float")
        return f"{node.name}/value" if node.name in self._reserved else node.name

    def stored(self, node: fx.Node) -> str:
        """The ONNX name for a constant: that of the parameter where it is one, so that readers find its layer again."""
        path = str(node.target) if node.op == "get_attr" else ""
        return path if "." in path and path not in self._reserved else self.named(node)

    def emit(self, op: str, inputs: list[str], node: fx.Node | None = None, **attributes: Any) -> str:
        """Adds a node with one output; returns its name: the name of `node` where one is given."""
        return self.emit_all(op, inputs, [self.named(node) if node else self.fresh(op.lower())], **attributes)[0]

    def emit_many(self, op: str, inputs: list[str], count: int, **attributes: Any) -> list[str]:
        """Adds a node with several outputs; returns their names."""
        base = self.fresh(op.lower())
        return self.emit_all(op, inputs, [f"{base}.{i}" for i in range(count)], **attributes)

    def emit_all(self, op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """Adds a node whose outputs have these names."""
        self.nodes.append(helper.make_node(op, inputs, outputs, name=f"{outputs[0]}/{op}", **attributes))
        return outputs

    def constant(self, value: NDArray[Any], name: str = "") -> str:
        """An initializer; equal unnamed small ones are shared. Raises ExportError where the file gets too large."""
        key = (value.dtype.str, value.shape, value.tobytes()) if not name and value.size <= 64 else None
        if key in self._known:
            return self._known[key]
        self._bytes += value.nbytes
        if self._bytes > LARGEST_BYTES:
            raise ExportError(
                f"the weights need more than {LARGEST_BYTES / 1e9:.2f} GB, the most that an ONNX file can hold in one "
                "piece; quantise or prune the network first, or use its .fwm file"
            )
        name = name or self.fresh("const")
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name))
        if key is not None:
            self._known[key] = name
        return name

    def ints(self, values: list[int]) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def floats(self, value: Any) -> str:
        return self.constant(np.asarray(value, dtype=np.float32))

    # -- operands ---------------------------------------------------------------------------------------------

    def dtype(self, item: Any, output: int = 0) -> torch.dtype:
        """The torch type of an operand: a node's result or a number."""
        if self.lifted is not None:
            return torch.float32
        if isinstance(item, fx.Node):
            return self.facts[item][output].dtype
        return torch.bool if isinstance(item, bool) else torch.int64 if isinstance(item, int) else torch.float32

    def value(self, item: Any, dtype: torch.dtype | None = None) -> str:
        """The ONNX name of an operand (a node's value, a parameter or a number), as the inner type of `dtype`."""
        if not isinstance(item, fx.Node):
            return self.constant(to_numpy(torch.tensor(item, dtype=inner(dtype or self.dtype(item)))))
        if item not in self.names:
            key = ("parameter", str(item.target)) if item.op == "get_attr" else ("node", item.name)
            self._known[key] = self.names[item] = self._known.get(key) or self._folded_name(item)
        name: str = self.names[item]
        wanted = torch.float32 if self.lifted is not None else dtype
        return self.cast(name, self.facts[item][0].dtype, wanted) if wanted is not None else name

    def cast(self, name: str, given: torch.dtype, wanted: torch.dtype, node: fx.Node | None = None) -> str:
        """A value as another inner type; itself where that is the type that it has."""
        if inner(given) == inner(wanted) and node is None:
            return name
        return self.emit("Cast", [name], node, to=element(inner(wanted)))

    def _folded_name(self, node: fx.Node) -> str:
        value = self.fold(node)
        if isinstance(value, Tensor) and value.dtype == torch.float16 and value.numel() > 64:
            stored = self.constant(to_numpy(value), f"{self.stored(node)}/half")
            return self.cast(stored, torch.float16, torch.float32, node)
        tensor = torch.as_tensor(value)
        return self.constant(to_numpy(tensor.to(inner(tensor.dtype))), self.stored(node))

    def fold(self, node: fx.Node) -> Any:
        """The value of a node that depends on nothing that goes in: a tensor, a number or a list of tensors."""
        if node not in self.constants:
            raise ExportError(f"node {node.name} must not depend on the inputs to be written in ONNX; make it a buffer")
        if node not in self.folded:
            number = self.facts[node][0].number if self.facts[node] else None
            if number is not None:
                self.folded[node] = number
            elif node.op == "get_attr":
                self.folded[node] = self.graph.tensor(str(node.target)).detach()
            else:
                args, kwargs = fx.map_arg((node.args, node.kwargs), self.fold)
                with torch.no_grad():
                    self.folded[node] = node.target(*args, **kwargs)  # type: ignore[operator]
        return self.folded[node]

    # -- shapes -----------------------------------------------------------------------------------------------

    def fact(self, node: fx.Node, output: int = 0) -> Fact:
        return self.facts[node][output]

    def shape(self, node: Any, output: int = 0) -> tuple[int, ...]:
        """The shape of a result; an axis that follows the batch is -k for "k times the batch"."""
        return self.facts[node][output].shape

    def reshape(self, name: str, shape: tuple[int, ...], node: fx.Node | None = None) -> str:
        """A value in another shape."""
        free = sum(size < 0 for size in shape)
        simple = free == 0 or (free == 1 and 0 not in shape)
        target = self.ints([-1 if size < 0 else size for size in shape]) if simple else self.full_shape(shape)
        return self.emit("Reshape", [name, target], node, **({"allowzero": 1} if 0 in shape else {}))

    def full_shape(self, shape: tuple[int, ...]) -> str:
        """A shape tensor with the batch size read at run time."""
        if all(size >= 0 for size in shape):
            return self.ints(list(shape))
        if ODD in shape:
            raise ExportError("a shape that changes with the batch size but is no multiple of it can't be written")
        parts = [self.ints([size]) if size >= 0 else self._batch(-size) for size in shape]
        return self.emit("Concat", parts, axis=0) if len(parts) > 1 else parts[0]

    def _batch(self, times: int) -> str:
        """`times` times the batch size, as a tensor `[1]`."""
        key = ("batch", times)
        if key not in self._known:
            if times == 1:
                self._known[key] = self.emit("Shape", [self.graph.inputs[0].name], start=0, end=1)
            else:
                self._known[key] = self.emit("Mul", [self._batch(1), self.ints([times])])
        return self._known[key]


Translator = Callable[[Emitter, fx.Node], Any]
"""Writes a node in ONNX; returns the name of its value, or a list of names where it has several results."""
