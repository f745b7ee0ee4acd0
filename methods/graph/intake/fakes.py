"""Values without numbers: what shape, type and storage every node of a graph has, with the batch axis left open."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv

from methods.graph.ir import GraphError, InputSpec, first_line


class Fakes:
    """Computes, when it is first asked, a value without numbers for each node; nothing is allocated.

    `tensors` are the parameters and buffers by name, `inputs` the placeholders in order. Values that tracing left with
    the nodes (`meta["val"]`) are used.
    """

    def __init__(self, graph: fx.Graph, tensors: dict[str, Tensor], inputs: tuple[InputSpec, ...]) -> None:
        self.graph = graph
        self.tensors = tensors
        self.inputs = {spec.name: spec for spec in inputs}
        traced = {n: n.meta["val"] for n in graph.nodes if "val" in n.meta}
        modes = [v.fake_mode for v in traced.values() if isinstance(v, FakeTensor)]
        self.mode: FakeTensorMode = modes[0] if modes else FakeTensorMode(shape_env=ShapeEnv())
        self.known: dict[fx.Node, Any] = {n: v for n, v in traced.items() if self._is_ours(v)}
        self._batch: Any = None

    def _is_ours(self, value: Any) -> bool:
        values = value if isinstance(value, list | tuple) else [value]
        return all(not isinstance(v, Tensor) or getattr(v, "fake_mode", None) is self.mode for v in values)

    @property
    def batch(self) -> Any:
        """The batch size, which no computation may fix."""
        if self._batch is None:
            environment: Any = self.mode.shape_env
            symbol = environment.create_symbol(2, ConstantSource("batch"), dynamic_dim=DimDynamic.DYNAMIC)
            self._batch = environment.create_symintnode(symbol, hint=2)
        return self._batch

    def of(self, node: fx.Node) -> Any:
        """The node's value. Raises GraphError, naming the node, where its operator rejects its arguments."""
        if node not in self.known:
            for earlier in self.graph.nodes:  # in order, since a deep graph would exhaust a recursion
                if earlier not in self.known:
                    self.known[earlier] = self._make(earlier)
                if earlier is node:
                    break
        return self.known[node]

    def shape(self, node: fx.Node) -> list[int | None]:
        """Sizes of the node's value; None for an axis that follows the batch size."""
        return [size if isinstance(size, int) else None for size in self.of(node).shape]

    def _make(self, node: fx.Node) -> Any:
        if node.op == "get_attr":
            with torch.no_grad():
                return self.mode.from_tensor(self.tensors[str(node.target)].detach())
        with self.mode, torch.no_grad():
            if node.op == "placeholder":
                spec = self.inputs[node.name]
                return torch.empty((self.batch, *spec.shape), dtype=getattr(torch, spec.dtype))
            if node.op != "call_function":
                return None
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self.known[n])
            try:
                with quiet():
                    return node.target(*args, **kwargs)  # type: ignore[operator]
            except Exception as error:
                raise GraphError(f"node {node.name}: {node.target} does not run: {first_line(error)}") from error

    def pieces(self, node: fx.Node) -> fx.Graph:
        """The node's operator as a graph of smaller ones by torch's own decomposition: its placeholders stand for
        `node.all_input_nodes` in order. Raises GraphError where torch has none."""
        from torch._decomp import decomposition_table  # a large table

        target: Any = node.target
        table = {target: decomposition_table[target]} if target in decomposition_table else {}
        inputs = node.all_input_nodes
        values = [self.of(n) for n in inputs]

        def call(*given: Any) -> Any:
            by_node = dict(zip(inputs, given, strict=True))
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: by_node[n])
            return target(*args, **kwargs)

        try:
            with quiet(), self.mode, torch.no_grad():
                return make_fx(call, tracing_mode="real", decomposition_table=table)(*values).graph
        except Exception as error:
            raise GraphError(f"it has no decomposition ({first_line(error)})") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's own account of a failure, which would precede ours."""
    loggers = [
        logging.getLogger(f"torch.{name}") for name in ("fx.experimental.symbolic_shapes", "_subclasses.fake_tensor")
    ]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
