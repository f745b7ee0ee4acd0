"""Builder: what ONNX nodes are translated with; it computes what is known and writes down what is not.

An operator whose inputs are all known is computed on the spot, at both batch sizes; every other one becomes a row.
The rows go through the same reader as our own files, so only allow-listed operators can come out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from methods.graph.ir import Graph, InputSpec, empty_module
from methods.graph.nodes_json import BadFile, from_json
from methods.graph.onnx_in.evaluate import evaluate, leaves, listed
from methods.graph.onnx_in.names import is_plain, stem_of
from methods.graph.onnx_in.rows import Rows
from methods.graph.onnx_in.values import Quantiser, Size, Value
from methods.graph.ops import KIND_OF, TARGETS

TURNED = "/t"
"""What our own exporter adds to the name of a weight that it stores the other way round."""
MAX_FOLDED = 1 << 26
"""Numbers that may be computed from constants, over a whole file."""

TRAINED = ("weight", "bias", "gamma", "beta")
"""What initializers that scale and shift are called: they are trained wherever they are used."""

Sizes = Sequence[int | Size]


def shown(sizes: Sizes) -> str:
    """A shape for messages."""
    return "[" + ", ".join(str(size) for size in sizes) + "]"


class Builder(Rows):
    """The graph being built.

    Attributes:
        fixed_batch: the batch size that the file is made for, or None where it is free.
        uses: ONNX value name -> how many nodes and outputs read it.
        values: input name -> the number of values that an integer input may take.
        scope: what the names of all nodes begin with, which is left out.
        owner: the node being read, as the dotted name of a layer.
    """

    def __init__(self, fixed_batch: int | None, uses: dict[str, int]) -> None:
        super().__init__()
        self.fixed_batch = fixed_batch
        self.uses = uses
        self.values: dict[str, int] = {}
        self.owner = "layer"
        self.scope = ""
        self._folded = 0
        self._kept: dict[Any, tuple[Value, bool, Value]] = {}
        self._made: dict[Any, Value] = {}

    def enter(self, name: str, operator: str) -> None:
        """Names what follows after a node."""
        self.owner = stem_of(name, operator, self.scope)
        self.hint = self.owner.replace(".", "_")

    # -- calls -------------------------------------------------------------------------------------------------

    def call(self, name: str, *args: Any, **kwargs: Any) -> Value:
        """Calls `aten.name`; arguments are Values, Sizes, lists of them, and plain numbers."""
        found = self.calls(name, *args, **kwargs)
        if len(found) != 1:
            raise BadFile(f"operator {name} has {len(found)} results, not one")
        return found[0]

    def calls(self, name: str, *args: Any, **kwargs: Any) -> list[Value]:
        """The same for an operator that has a list of results."""
        target = TARGETS[f"aten.{name}"]
        found = leaves((args, kwargs))
        values = [leaf for leaf in found if isinstance(leaf, Value)]
        if any(value.live for value in values):
            return self._emit(name, target, args, kwargs)
        steady = all(v.probes[0] is v.probes[1] for v in values) and not any(isinstance(v, Size) for v in found)
        first = self._compute(target, args, kwargs, 0)
        second = first if steady else self._compute(target, args, kwargs, 1)
        return [Value((a, b)) for a, b in zip(listed(first), listed(second), strict=True)]

    def _compute(self, target: Callable[..., Any], args: Any, kwargs: Any, probe: int) -> Any:
        shapes = listed(evaluate(target, args, kwargs, probe, meta=True))
        self._folded += sum(shape.numel() for shape in shapes)
        if self._folded > MAX_FOLDED:
            raise BadFile(f"its constants grow to more than {MAX_FOLDED} numbers when they are computed")
        return evaluate(target, args, kwargs, probe, meta=False)

    def _emit(self, name: str, target: Callable[..., Any], args: Any, kwargs: Any) -> list[Value]:
        args, kwargs = self._shown(list(args)), self._shown(kwargs)
        first, second = (evaluate(target, args, kwargs, probe, meta=True) for probe in (0, 1))
        row = self.row(f"aten.{name}", [self._encode(a) for a in args], {k: self._encode(v) for k, v in kwargs.items()})
        if isinstance(first, Tensor):
            copied = KIND_OF[target] == "move" or name == "to.dtype"
            feeds = args[0].feeds if copied and isinstance(args[0], Value) else ""
            outer = max(leaf.outer for leaf in leaves((args, kwargs)) if isinstance(leaf, Value))
            return [Value((first, second), row, feeds=feeds, outer=outer)]
        pairs = list(zip(first, second, strict=True))
        return [Value(pair, self.row("operator.getitem", ["%" + row, i], {})) for i, pair in enumerate(pairs)]

    def _shown(self, item: Any) -> Any:
        """Arguments with every constant made a buffer."""
        if isinstance(item, Value):
            return self.keep(item)
        if isinstance(item, dict):
            return {k: self._shown(v) for k, v in item.items()}
        return [self._shown(v) for v in item] if isinstance(item, list | tuple) else item

    def _encode(self, item: Any) -> Any:
        if isinstance(item, Value):
            return "%" + item.row
        if isinstance(item, Size):
            return "%" + self.size_row(item)
        if isinstance(item, list):
            return [self._encode(v) for v in item]
        if isinstance(item, str):
            return "'" + item
        if isinstance(item, torch.dtype):
            return "#" + str(item).removeprefix("torch.")
        return f"~{item}" if isinstance(item, float) and not math.isfinite(item) else item

    # -- constants that the graph keeps ------------------------------------------------------------------------

    def keep(self, value: Value, leaf: str = "constant") -> Value:
        """A constant as a buffer of the graph; a parameter where its name says that it scales or shifts."""
        if value.live:
            return value
        if value.base is not None or not value.fixed:
            return self._repeated(value)
        trained = value.is_float and "." in value.name and value.name.rpartition(".")[2] in TRAINED
        return self.weight(value, leaf, trained=trained)

    def weight(self, value: Value, leaf: str, turn: bool = False, trained: bool = True, owner: str = "") -> Value:
        """A constant as a parameter named after its initializer or, failing that, `owner.leaf`.

        `turn` transposes it: linear layers keep `[out, in]`. The same initializer stays one parameter.
        """
        if value.live:
            return self.call("t.default", value) if turn else value
        if not value.fixed:
            raise BadFile(f"the {leaf} of {self.owner} depends on the batch size")
        key: Any = value.name or id(value)
        wanted = value.turned != turn
        if key not in self._kept:
            data = value.probes[0].t() if turn else value.probes[0]
            own = value.name.removesuffix(TURNED)
            name = own if is_plain(own) else f"{owner or self.owner}.{leaf}"
            made = self.tensor(data.contiguous(), name, trained and value.is_float)
            self._kept[key] = (made, wanted, value)
        made, turned, _ = self._kept[key]
        stem = self.name_of(made)
        if trained and value.is_float:
            self.trained(made)
        if turned != wanted:
            made = self._once((key, "turned"), lambda: self.call("t.default", made))
        quantiser = value.quantiser.turned() if value.quantiser and turn else value.quantiser
        return (
            made
            if quantiser is None
            else self._once((key, wanted, "codes"), lambda: self._codes(made, stem, quantiser))
        )

    def layer_of(self, value: Value) -> str:
        """The dotted name of the layer that computes a value, after its weight."""
        source = str(self.row_of(value)[3][1])[1:]
        while source in self._by_name:
            source = str(self._by_name[source][3][0])[1:]
        return self._names_of.get(source, self.owner).removesuffix(".weight")

    def reaches(self, index: Value, count: int) -> None:
        """Remembers that an integer input is looked up in `count` places."""
        if index.feeds:
            self.values[index.feeds] = min(count, self.values.get(index.feeds, count))

    def _once(self, key: Any, make: Callable[[], Value]) -> Value:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _codes(self, weight: Value, stem: str, quantiser: Quantiser) -> Value:
        """A weight behind the quantiser whose codes it was stored as."""
        whole = quantiser.scale.numel() == 1
        axis = 0 if whole else quantiser.axis
        steps, zeros = (t.expand(weight.static(axis)).contiguous() for t in (quantiser.scale, quantiser.zero))
        scale, zero = self.tensor(steps, f"{stem}_scale", False), self.tensor(zeros, f"{stem}_zero_point", False)
        bounds = (axis, quantiser.low, quantiser.high)
        return self.call("fake_quantize_per_channel_affine.default", weight, scale, zero, *bounds)

    def _repeated(self, value: Value) -> Value:
        """A constant that repeats along the batch, as one copy of it that is expanded."""
        base = value.base
        if base is None:
            axes = [i for i, size in enumerate(value.sizes) if isinstance(size, Size)]
            first, second = (p.narrow(axes[0], 0, 1) for p in value.probes) if len(axes) == 1 else value.probes
            same = len(axes) == 1 and first.shape == second.shape and bool((first == second).all())
            if not same or not bool((value.probes[0] == first).all()):
                raise BadFile("a constant depends on the batch size in a way that a graph can't hold")
            base = Value((first, first))
        return self.expand(self.keep(base), value.sizes)

    # -- moves that need care with the batch -------------------------------------------------------------------

    def reshape(self, value: Value, sizes: Sizes, outer: int = 1) -> Value:
        """The value in another shape; the one axis that follows the batch is found from the others."""
        if not value.live:
            return self.call("reshape.default", value, list(sizes))
        if list(sizes) == value.sizes:
            return value
        if value.grouped is not None and list(sizes) == value.grouped.source.sizes:
            source = value.grouped.source
            return self.call("group_norm.default", source, value.grouped.groups, None, None, value.grouped.eps, False)
        if sum(isinstance(size, Size) for size in sizes) > 1:
            raise BadFile(f"a reshape to {shown(sizes)} has more than one axis that follows the batch size")
        made = self.call("reshape.default", value, [-1 if isinstance(size, Size) else size for size in sizes])
        if made.sizes != list(sizes):
            raise BadFile(f"{shown(value.sizes)} can't be reshaped to {shown(sizes)}")
        made.outer, made.parent = outer, value
        return made

    def expand(self, value: Value, sizes: Sizes) -> Value:
        """The value repeated along axes of size one; unchanged where it has the shape already."""
        if value.live and list(sizes) == value.sizes:
            return value
        have = [None] * (len(sizes) - value.rank) + list(value.sizes)
        target = [-1 if value.live and a == b else b for a, b in zip(have, sizes, strict=True)]
        made = self.call("expand.default", value, target)
        if not value.live and value.fixed and any(isinstance(size, Size) for size in sizes):
            made.base = value
        return made

    # -- the end -----------------------------------------------------------------------------------------------

    def graph(self, inputs: Sequence[InputSpec], outputs: Sequence[Value], names: Sequence[str]) -> Graph:
        """The Graph of everything added so far."""
        last = ["output", "output", "output", [["%" + value.row for value in outputs]], {}]
        found = Graph(empty_module(), tuple(inputs), tuple(names))
        for name, (data, trained) in self.tensors.items():
            found.set_tensor(name, data, trained)
        found.module.graph = from_json([*self.starts, *self.reads, *self.rows, last], set(self.tensors))
        found.remove_unused()
        return found
