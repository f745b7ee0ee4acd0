"""Rows: the nodes, parameters and buffers of a Graph while it is put together, under names of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in.names import Names
from methods.graph.onnx_in.values import PROBES, Size, Value

MAX_ROWS = 200_000


class Rows:
    """Collects rows as `nodes_json` keeps them.

    Attributes:
        starts, reads, rows: inputs, parameters and buffers, and operators, in this order in the graph.
        tensors: name -> numbers, and whether they are trained.
        hint: what the next operators are called.
    """

    def __init__(self) -> None:
        self.names = Names()
        self.starts: list[list[Any]] = []
        self.reads: list[list[Any]] = []
        self.rows: list[list[Any]] = []
        self.tensors: dict[str, tuple[Tensor, bool]] = {}
        self.hint = "value"
        self._sizes: dict[Size, str] = {}
        self._by_name: dict[str, list[Any]] = {}
        self._names_of: dict[str, str] = {}

    def placeholder(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> Value:
        """A network input `[batch, *shape]`."""
        row = self.names.node(name)
        self.starts.append([row, "placeholder", row, [], {}])
        first, second = (torch.empty((n, *shape), dtype=dtype, device="meta") for n in PROBES)
        return Value((first, second), row, feeds=row)

    def row(self, target: str, args: list[Any], kwargs: dict[str, Any]) -> str:
        """Adds an operator; returns its name."""
        if len(self.rows) >= MAX_ROWS:
            raise BadFile(f"needs more than {MAX_ROWS} operators")
        name = self.names.node(self.hint)
        entry = [name, "call_function", target, args, kwargs]
        self.rows.append(entry)
        self._by_name[name] = entry
        return name

    def row_of(self, value: Value) -> list[Any]:
        """[name, operation, target, arguments, keywords] of what computes a value; [] for inputs and parameters."""
        return self._by_name.get(value.row, [])

    def size_row(self, size: Size) -> str:
        """The row that computes a size from the batch."""
        if size not in self._sizes:
            if size == Size(1):
                row = self.row("aten.sym_size.int", ["%" + self.starts[0][0], 0], {})
            elif size.offset:
                row = self.row("operator.add", ["%" + self.size_row(Size(size.factor)), size.offset], {})
            else:
                row = self.row("operator.mul", ["%" + self.size_row(Size(1)), size.factor], {})
            self._sizes[size] = row
        return self._sizes[size]

    def tensor(self, data: Tensor, name: str, trainable: bool) -> Value:
        """Adds a parameter or a buffer under `name` or, where that is taken, one like it."""
        name = self.names.tensor(name)
        self.tensors[name] = (data, trainable)
        row = self.names.node(name)
        self.reads.append([row, "get_attr", name, [], {}])
        self._names_of[row] = name
        shape = torch.empty(data.shape, dtype=data.dtype, device="meta")
        return Value((shape, shape), row)

    def name_of(self, value: Value) -> str:
        """The name of a parameter or buffer; empty for everything else."""
        return self._names_of.get(value.row, "")

    def trained(self, value: Value) -> None:
        """Makes a buffer a parameter."""
        name = self.name_of(value)
        self.tensors[name] = (self.tensors[name][0], True)
