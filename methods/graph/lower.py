"""lower: a Graph becomes a Workload, fused as every runtime fuses it.

Batch normalisation and activations that follow a layer belong to that layer; reshapes cost nothing; quantisers set the
bits of the tensors beside them.
"""

from __future__ import annotations

from dataclasses import replace
from math import log2, prod
from typing import Any

from torch import fx

from hwmodels.workload import POWERS_OF_TWO, Op, TensorSpec, Workload
from methods.graph.axis_sites import LAYERS, AxisSites
from methods.graph.coupling.groups import Coupling
from methods.graph.coupling.verify import trusted
from methods.graph.ir import Graph, value_shapes, weight_source
from methods.graph.nodes import argument, name_of
from methods.graph.ops import kind_of
from methods.graph.surgery.blocks import blocks
from methods.graph.surgery.chains import is_piece
from methods.graph.weight_chain import chain_of

FREE = {"reshape", "flatten", "view", "unsqueeze", "squeeze", "unflatten", "dropout", "clone", "contiguous", "alias"}
FREE |= {"detach", "to"}
"""Operators that move no data in a runtime."""

KINDS = {
    "conv_transpose": "conv",
    "unary": "elementwise",
    "binary": "elementwise",
    "batch_norm": "norm",
    "move": "data",
}
KINDS |= {"pad": "data", "reduce": "pool", "lookup": "data", "create": "data", "other": "data"}
KINDS |= {"einsum": "matmul", "glu": "elementwise", "snap": "elementwise"}


def lower(graph: Graph, batch: int = 1, dims: bool = False) -> Workload:
    """The operators of `graph` at a batch size; `dims` also says which axes follow which channel sites."""
    return _Lowering(graph, batch, trusted(graph) if dims else None).run()


class _Lowering:
    def __init__(self, graph: Graph, batch: int, coupling: Coupling | None) -> None:
        self.graph = graph
        self.shapes = value_shapes(graph, batch)
        self.alias: dict[fx.Node, fx.Node] = {}
        self.ops: dict[fx.Node, Op] = {}
        self.constants = _constants(graph)
        self.tracker = AxisSites(graph, coupling) if coupling else None
        self.blocks = _blocks(graph) if coupling else {}

    def run(self) -> Workload:
        inputs, outputs = [], []
        for node in self.graph.nodes:
            if node.op == "placeholder":
                inputs.append(node.name)
            elif node.op == "output":
                outputs = [self._value(n).name for n in node.all_input_nodes]
            elif node.op == "call_function":
                self._visit(node)
        return Workload(tuple(self._named(op, n) for n, op in self.ops.items()), tuple(inputs), tuple(outputs))

    def _named(self, op: Op, node: fx.Node) -> Op:
        """The operator with the names of everything that was fused into it, outputs of the network included."""
        passed = [n for n in self.alias if self._value(n) is node]
        ends = zip(self.graph.nodes[-1].all_input_nodes, self.graph.output_names)
        names = [n.name for n in passed] + [name for n, name in ends if n is node or n in passed]
        return replace(op, aliases=tuple(names))

    def _value(self, node: fx.Node) -> fx.Node:
        """The node whose operator really made this value."""
        while node in self.alias:
            node = self.alias[node]
        return node

    def _visit(self, node: fx.Node) -> None:
        kind = kind_of(node.target)
        name = name_of(node)
        if kind == "size" or node in self.constants:
            return
        source = node.args[0] if node.args and isinstance(node.args[0], fx.Node) else None
        if kind == "quantize" and source is not None:
            self._quantize(node, source)
        elif source is not None and (name in FREE or kind == "getitem" or self._fuses(kind, source)):
            self.alias[node] = source
        else:
            self.ops[node] = self._op(node, kind)

    def _quantize(self, node: fx.Node, source: fx.Node) -> None:
        """Narrows the value that is quantised to 8 bits, where it is made and for whoever reads it."""
        self.alias[node] = source
        maker = self._value(source)
        if maker in self.ops:
            op = self.ops[maker]
            self.ops[maker] = replace(op, outputs=tuple(replace(t, bits=_bits(node)) for t in op.outputs))

    def _fuses(self, kind: str, source: fx.Node) -> bool:
        maker = self.ops.get(self._value(source))
        alone = len(source.users) == 1
        return kind in ("batch_norm", "unary") and alone and maker is not None and maker.kind in ("conv", "linear")

    def _spec(self, node: fx.Node, reader: fx.Node | None = None) -> TensorSpec:
        shape = (self.shapes[node.name] or [()])[0]
        return TensorSpec(shape, _read_bits(node) if reader is not None else 32)

    def _op(self, node: fx.Node, kind: str) -> Op:
        reads = [a for a in node.all_input_nodes if a not in self.constants and kind_of(a.target) != "size"]
        inputs = tuple(self._spec(a, node) for a in reads)
        outputs = tuple(TensorSpec(s) for s in self.shapes[node.name])
        weights, site = self._weights(node, kind)
        op = Op(
            name=node.name,
            kind=KINDS.get(kind, kind),
            inputs=inputs,
            outputs=outputs,
            weights=weights,
            macs=self._macs(node, kind, weights, outputs),
            reads=tuple(self._value(a).name for a in reads),
            writes=(node.name,),
            site=site,
            attributes=_attributes(node, kind),
            blocks=self.blocks.get(node.name, ()),
        )
        op = self._stored(op, node) if kind in LAYERS else op
        return replace(op, dims=self.tracker.dims(node, reads, op, self._names(node))) if self.tracker else op

    def _names(self, node: fx.Node) -> list[str]:
        return [str(a.target) for a in node.all_input_nodes if a.op == "get_attr"]

    def _weights(self, node: fx.Node, kind: str) -> tuple[tuple[TensorSpec, ...], str]:
        if kind not in LAYERS or not isinstance(node.args[1], fx.Node):
            names = self._names(node)
            return tuple(TensorSpec(tuple(self.graph.tensor(n).shape)) for n in names), ""
        source = weight_source(node.args[1])
        specs = [TensorSpec(self.shapes[node.args[1].name][0], _read_bits(node.args[1]))]
        if len(node.args) > 2 and isinstance(node.args[2], fx.Node):
            specs.append(TensorSpec(self.shapes[node.args[2].name][0]))
        return tuple(specs), self.graph.site_of(str(source.target)) if source is not None else ""

    def _stored(self, op: Op, node: fx.Node) -> Op:
        """The layer with what its weight takes on disk: by its form."""
        chain = chain_of(node.args[1])
        if chain is None:
            return op
        values = self.graph.tensor(chain.parameter)
        op = replace(op, piece=is_piece(self.graph, chain.parameter))
        if chain.kind == "codebook":
            op = replace(op, stored_bits=_index_bits(tuple(values.shape), op.weights[0].elements))
        elif chain.kind:
            op = replace(op, stored_bits=32.0 * values.numel() / op.weights[0].elements)
        elif chain.snap is not None:
            levels = self.shapes[argument(chain.snap, "levels").name][0]
            shared = POWERS_OF_TWO if powers_of_two(self.graph, chain.snap) else ""
            op = replace(op, stored_bits=max(1.0, log2(levels[-1])), levels=shared)
        if chain.mask:
            density = float(self.graph.tensor(chain.mask).float().mean())
            op = replace(op, density=density, pattern=self.graph.patterns.get(chain.parameter, ""))
        return op

    def _macs(self, node: fx.Node, kind: str, weights: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> int:
        shape = self.shapes[node.args[0].name][0] if node.args and isinstance(node.args[0], fx.Node) else ()
        if kind in ("conv", "linear"):
            return outputs[0].elements * weights[0].elements // weights[0].shape[0]
        if kind == "conv_transpose":
            return prod(shape) * weights[0].elements // weights[0].shape[0]
        if kind == "attention":
            keys, values = (self.shapes[argument(node, name).name][0] for name in ("key", "value"))
            return prod(shape[:-1]) * keys[-2] * (shape[-1] + values[-1])
        if kind == "einsum":
            return self._einsum_macs(node)
        if kind == "matmul":
            return outputs[0].elements * shape[-1]
        if kind == "recurrent":
            steps = shape[0] * shape[1]
            return steps * sum(w.elements for w in weights if len(w.shape) == 2)
        return 0

    def _einsum_macs(self, node: fx.Node) -> int:
        """One multiplication for every combination of the letters."""
        terms = str(node.args[0]).replace(" ", "").split("->")[0].split(",")
        sizes: dict[str, int] = {}
        for letters, value in zip(terms, node.all_input_nodes, strict=True):
            sizes |= dict(zip(letters, self.shapes[value.name][0]))
        return prod(sizes.values())


def _blocks(graph: Graph) -> dict[str, tuple[str, ...]]:
    """Node name -> the removable blocks that it goes with."""
    found: dict[str, tuple[str, ...]] = {}
    for site, block in blocks(graph).items():
        for name in (*block.nodes, block.add):
            found[name] = (*found.get(name, ()), site)
    return found


def _constants(graph: Graph) -> set[fx.Node]:
    """The values that depend on nothing but parameters: weights, quantised or shared ones included."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        inputs = node.all_input_nodes
        made = node.op == "call_function" and inputs and all(a in found for a in inputs)
        if node.op == "get_attr" or made:
            found.add(node)
    return found


def _index_bits(book: tuple[int, ...], weights: int) -> float:
    """Bits of an index; spread over its members, with the book, where an index stands for several weights."""
    bits = max(1.0, log2(book[0]))
    return bits if len(book) == 1 else bits / book[1] + 32.0 * prod(book) / weights


def powers_of_two(graph: Graph, snap: fx.Node) -> bool:
    """Whether the levels of a weight are zeros and powers of two times a scale: then a product is a shift."""
    factors = argument(snap, "levels").all_input_nodes
    if len(factors) != 2 or any(node.op != "get_attr" for node in factors):
        return False
    scale, pattern = (graph.tensor(str(node.target)).detach() for node in factors)
    mantissas = pattern[pattern != 0].abs().frexp().mantissa
    return bool((mantissas == 0.5).all()) and (scale.numel() == 1 or scale.dim() == 2)


def _bits(node: fx.Node) -> int:
    """Bits of a quantiser from its range of codes."""
    return max(1, (int(argument(node, "quant_max")) - int(argument(node, "quant_min"))).bit_length())


def _read_bits(node: fx.Node) -> int:
    """Bits of a value as its reader sees it: those of the quantiser that it comes through, if any."""
    current: Any = node
    while isinstance(current, fx.Node) and current.op == "call_function":
        if kind_of(current.target) == "quantize":
            return _bits(current)
        name = name_of(current)
        if name not in FREE and not name.startswith("max_pool"):
            return 32
        current = current.args[0]
    return 32


def _attributes(node: fx.Node, kind: str) -> tuple[tuple[str, str], ...]:
    if kind == "einsum":
        return (("op", "einsum.default"), ("equation", str(node.args[0])))
    if kind not in ("conv", "conv_transpose"):
        return (("op", str(node.target).removeprefix("aten.")),)
    values = [str(a) for a in node.args[3:]]
    groups = str(node.args[6]) if len(node.args) > 6 else "1"
    transposed = "1" if kind == "conv_transpose" else "0"
    return (("groups", groups), ("geometry", " ".join(values)), ("transposed", transposed))
