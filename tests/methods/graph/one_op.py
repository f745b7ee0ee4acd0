"""Graphs of one operator, built without capture: what tests of export and import are made of."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, InputSpec, empty_module
from methods.graph.ops import TARGETS


class In:
    """An input of the network: its shape without the batch, its type, and the number of values of an integer."""

    def __init__(self, *shape: int, dtype: str = "float32", values: int = 2) -> None:
        self.shape, self.dtype, self.values = shape, dtype, 0 if "float" in dtype else values


class Builder:
    """Collects operators; `graph` makes what they are a Graph."""

    def __init__(self) -> None:
        self.fx = fx.Graph()
        self.inputs: list[InputSpec] = []
        self.tensors: dict[str, Tensor] = {}
        self.made: dict[int, fx.Node] = {}

    def call(self, name: str, *args: Any, **kwargs: Any) -> fx.Node:
        """One operator, `aten.` left out; tensors among its arguments become parameters, In objects inputs."""
        target = TARGETS[name if name in TARGETS else f"aten.{name}"]
        args, kwargs = self._node(args), {k: self._node(v) for k, v in kwargs.items()}
        return self.fx.call_function(target, tuple(args), kwargs)

    def pick(self, node: fx.Node, *places: int) -> list[fx.Node]:
        """Some of the results of an operator."""
        return [self.fx.call_function(operator.getitem, (node, i)) for i in places]

    def graph(self, *outputs: fx.Node) -> Graph:
        self.fx.output(tuple(self._node(o) for o in outputs))
        names = tuple(f"output_{i}" if i else "output" for i in range(len(outputs)))
        graph = Graph(empty_module(), tuple(self.inputs), names)
        for name, value in self.tensors.items():
            graph.set_tensor(name, value, trainable=value.is_floating_point())
        placeholders = [n for n in self.fx.nodes if n.op == "placeholder"]
        for node in placeholders[::-1]:
            self.fx._root.append(node)
        graph.module.graph = self.fx
        graph.module.recompile()
        return graph

    def _node(self, item: Any) -> Any:
        if isinstance(item, list | tuple):
            return type(item)(self._node(i) for i in item)
        if not isinstance(item, In | Tensor):
            return item
        if id(item) not in self.made:
            self.made[id(item)] = self._input(item) if isinstance(item, In) else self._parameter(item)
        return self.made[id(item)]

    def _input(self, item: In) -> fx.Node:
        name = f"x{len(self.inputs)}"
        self.inputs.append(InputSpec(name, item.shape, item.dtype, item.values))
        return self.fx.placeholder(name)

    def _parameter(self, item: Tensor) -> fx.Node:
        name = f"p{len(self.tensors)}"
        self.tensors[name] = item
        return self.fx.get_attr(name)


def one_op(name: str, *args: Any, picks: tuple[int, ...] = (), **kwargs: Any) -> Graph:
    """A network of one operator; `picks` says which of its results are outputs, where it has several."""
    torch.manual_seed(0)
    builder = Builder()
    node = builder.call(name, *args, **kwargs)
    return builder.graph(*(builder.pick(node, *picks) if picks else [node]))
