"""How much a graph would take, known before it runs: shapes alone are computed, nothing is allocated.

A file of a few hundred bytes can ask for `zeros([2**40])`. Here the graph runs on fake tensors
(torch.export's own way to trace), and the first value that is too large ends it, by name.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode

from methods.graph.ir import Graph, InputSpec, InvalidGraph, first_line
from methods.graph.ops import NAMES, PYTHON, kind_of

VALUE_BYTES, LIVE_BYTES = 2 << 30, 4 << 30
"""Largest single value, and most of them at one time, at batch size BATCH."""
BATCH = 3
LARGEST_SIZE, LARGEST_POWER, MOST_PIECES = 1 << 62, 62, 1 << 16
ARITHMETIC = [f for f in PYTHON.values() if f is not operator.getitem]


def check_sizes(graph: Graph) -> None:
    """Raises InvalidGraph, naming the node, where values would take more than VALUE_BYTES or LIVE_BYTES."""
    with FakeTensorMode(), torch.no_grad(), _quiet():
        outputs = _Sizes(graph.module).run(*map(_fake, graph.inputs), enable_io_processing=False)
    if not all(isinstance(o, Tensor) for o in outputs):
        raise InvalidGraph("an output is not a tensor")


@contextmanager
def _quiet() -> Iterator[None]:
    """torch logs every operator that it can't run, with a traceback; the error says it all."""
    logger = logging.getLogger("torch._subclasses.fake_tensor")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _fake(spec: InputSpec) -> Tensor:
    shape = (BATCH, *spec.shape)
    if min(shape) < 1 or prod(shape) > VALUE_BYTES:
        raise InvalidGraph(f"input {spec.name} has the shape {list(spec.shape)}, which is not possible")
    return torch.empty(shape, dtype=getattr(torch, spec.dtype))


class _Sizes(fx.Interpreter):
    """Runs a graph on fake tensors and adds up what would be alive."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.extra_traceback = False  # our messages name the node
        self.alive: dict[fx.Node, int] = {}
        self.alive_bytes = 0

    def run_node(self, n: fx.Node) -> Any:
        try:
            value = super().run_node(n)
        except Exception as error:  # operators raise whatever they like
            raise InvalidGraph(
                f"the graph does not run at batch size {BATCH}: {_called(n)}: {first_line(error)}"
            ) from error
        self._count(n, value)
        return value

    def _count(self, node: fx.Node, value: Any) -> None:
        size = 0 if node.op in ("get_attr", "output") else _bytes(value)
        self.alive[node] = size
        self.alive_bytes += size
        if size > VALUE_BYTES or self.alive_bytes > LIVE_BYTES:
            raise InvalidGraph(
                f"{_called(node)} would take {size / 2**30:,.1f} GiB, {self.alive_bytes / 2**30:,.1f} GiB with what is "
                f"alive beside it at batch size {BATCH}; at most {VALUE_BYTES >> 30} and {LIVE_BYTES >> 30} are given"
            )
        for dead in self.user_to_last_uses.get(node, []):
            self.alive_bytes -= self.alive.pop(dead, 0)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        value = super().get_attr(target, args, kwargs)
        return torch.empty(value.shape, dtype=value.dtype) if isinstance(value, Tensor) else value

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        if target in ARITHMETIC:
            _check_arithmetic(target, args)
        if target in PIECES and PIECES[target](*args, **kwargs) > MOST_PIECES:
            raise ValueError(f"it cuts its input into more than {MOST_PIECES} pieces")
        if kind_of(target) == "recurrent":
            return _recurrent(target, args, kwargs)
        return super().call_function(target, args, kwargs)


def _unbound(value: Tensor, dim: int = 0) -> int:
    return value.shape[dim]


def _split(value: Tensor, size: int, dim: int = 0) -> int:
    return value.shape[dim] // max(1, size)


PIECES: dict[Any, Callable[..., int]] = {
    torch.ops.aten.unbind.int: _unbound,
    torch.ops.aten.split.Tensor: _split,
    torch.ops.aten.chunk.default: lambda value, chunks, dim=0: min(chunks, value.shape[dim]),
}
"""Operators that could make more results than there is room for, whatever their size -> how many they make."""


def _called(node: fx.Node) -> str:
    name = node.op if isinstance(node.target, str) else NAMES.get(node.target, node.op)
    return f"input {node.name}" if node.op == "placeholder" else f"node {node.name} ({name})"


def _bytes(value: Any) -> int:
    if isinstance(value, list | tuple):
        return sum(_bytes(v) for v in value)
    return value.numel() * value.element_size() if isinstance(value, Tensor) else 0


def _check_arithmetic(target: Any, args: tuple[Any, ...]) -> None:
    """Sizes are numbers of a size: Python would also repeat texts and lists, or raise to the power of a billion."""
    if not all(isinstance(a, Tensor) or (isinstance(a, int | float) and abs(a) <= LARGEST_SIZE) for a in args):
        raise ValueError("it is given something else than sizes")
    if target in (operator.pow, operator.lshift) and not all(abs(a) <= LARGEST_POWER for a in args[1:]):
        raise ValueError(f"it is given a power above {LARGEST_POWER}")


def _recurrent(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """An LSTM or GRU over one step, its output then as long as the sequence: step by step would take seconds."""
    sequence, along = args[0], 1 if args[-1] else 0
    output, *state = target(sequence.narrow(along, 0, 1), *args[1:], **kwargs)
    shape = [*output.shape]
    shape[along] = sequence.shape[along]
    return (output.new_empty(shape), *state)
