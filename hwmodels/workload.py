"""What a device sees of a network: operators in order, with shapes and bit-widths, and no framework types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod


@dataclass(frozen=True)
class TensorSpec:
    """One tensor: its shape (batch included for activations) and the bits that each element takes."""

    shape: tuple[int, ...]
    bits: int = 32

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return -(-self.elements * self.bits // 8)


Widths = Mapping[str, tuple[int, int]]
"""Site -> units before pruning, and units kept."""


@dataclass(frozen=True)
class Dim:
    """Says how an axis of a tensor follows pruning sites.

    Axis `axis` of tensor `tensor` holds `per_unit` entries for each of the `units` of `site`, times the units of every
    further site in `also`: the 768 outputs of a query projection are 12 heads times 64 channels a head. An axis may
    have several of these, one for each of the segments that were concatenated along it. `tensor` counts the operator's
    inputs, then outputs, then weights, in that order.
    """

    tensor: int
    axis: int
    site: str
    per_unit: int = 1
    units: int = 0
    also: tuple[tuple[str, int], ...] = ()

    @property
    def factors(self) -> tuple[tuple[str, int], ...]:
        """All the sites whose units multiply, with their units."""
        return ((self.site, self.units), *self.also)

    @property
    def sites(self) -> tuple[str, ...]:
        """All the sites whose units multiply."""
        return tuple(site for site, _ in self.factors)

    def change(self, kept: Widths) -> int:
        """By how many entries the axis grows; sites that `kept` doesn't name stay whole."""
        before, after = kept.get(self.site, (self.units, self.units))
        for site, units in self.also:
            one, other = kept.get(site, (units, units))
            before, after = before * one, after * other
        return self.per_unit * (after - before)


POWERS_OF_TWO = "power-of-two"
"""Of `Op.levels`: every weight is zero or a power of two, times a scale."""


@dataclass(frozen=True)
class Op:
    """One operator.

    Attributes:
        name: the graph node it came from.
        kind: conv, linear, matmul, attention, pool, norm, elementwise, softmax, recurrent, embedding, quantize, data.
        inputs, outputs: activations. weights: parameters, `[out, in, k, k]` for a convolution.
        macs: multiply-accumulates. reads, writes: names of the activations, for liveness.
        site: the site of its weights (`weight:fc1`), empty where it has none.
        dims: which axes follow which pruning sites.
        attributes: what else tells two operators apart (stride, groups, fused activation).
        stored_bits: bits that each weight kept takes in the packed file (codebook index width); 0 means as in
            `weights`. density: share of the weights that are kept; the others are zero. pattern: the rule by which
            they are ("2:4", "block:4x1"), empty where any of them may be.
        levels: what the levels of its weights have in common (`power-of-two`), empty where there is nothing to gain.
        piece: whether it is one of a row of layers that a factorisation made of one.
        aliases: other names of its outputs: of what is fused into it or only passes it on.
        blocks: the removable blocks that it is in (`block:layer1.0`); without one of them it isn't run at all.
    """

    name: str
    kind: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    weights: tuple[TensorSpec, ...] = ()
    macs: int = 0
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    site: str = ""
    dims: tuple[Dim, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    stored_bits: float = 0.0
    density: float = 1.0
    pattern: str = ""
    levels: str = ""
    piece: bool = False
    aliases: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites that its shapes follow, each once, in the order of `dims`."""
        return tuple(dict.fromkeys(site for dim in self.dims for site in dim.sites))

    @property
    def precision(self) -> str:
        """`fp32` or `int8`, ...: the name of the arithmetic that this operator runs in."""
        weights, inputs = self.weights, self.inputs
        bits = inputs[0].bits if inputs else 0
        if weights and weights[0].bits > bits:
            bits = weights[0].bits
        bits = bits or 32
        return f"fp{bits}" if bits >= 16 else f"int{bits}"

    @property
    def widths(self) -> tuple[int, int]:
        """Bits of a weight and of an activation; without weights both are the activation's."""
        activation = self.inputs[0].bits if self.inputs else 32
        return (self.weights[0].bits if self.weights else activation), activation

    @property
    def weight_bytes(self) -> int:
        return sum(w.bytes for w in self.weights)

    @property
    def activation_bytes(self) -> int:
        return sum(t.bytes for t in self.inputs + self.outputs)

    def with_widths(self, kept: Widths) -> Op:
        """The same operator after pruning: `kept` maps a site to (units before, units kept)."""
        tensors = [list(t.shape) for t in self.inputs + self.outputs + self.weights]
        for dim in self.dims:
            tensors[dim.tensor][dim.axis] += dim.change(kept)
        shapes = iter(tensors)
        op = replace(
            self,
            inputs=tuple(TensorSpec(tuple(next(shapes)), t.bits) for t in self.inputs),
            outputs=tuple(TensorSpec(tuple(next(shapes)), t.bits) for t in self.outputs),
            weights=tuple(TensorSpec(tuple(next(shapes)), t.bits) for t in self.weights),
        )
        return replace(op, macs=count_macs(op, self))


def count_macs(op: Op, before: Op) -> int:
    """Multiply-accumulates after a change of shape: exact for layers, products of matrices, attention and recurrent
    layers; of anything else in proportion to the elements that it reads and writes."""
    if op.kind in ("conv", "linear") and op.weights:
        weight = op.weights[0]
        counted = op.inputs[0] if dict(op.attributes).get("transposed") == "1" else op.outputs[0]
        return counted.elements * weight.elements // max(1, weight.shape[0])
    if is_attention(op):
        return _attention_macs(op)
    if "equation" in dict(op.attributes):
        return _einsum_macs(op)
    if op.kind == "matmul":
        inner = _contracted(op)
        return _in_proportion(op, before) if inner is None else op.outputs[0].elements * inner
    if op.kind == "recurrent" and op.weights and op.inputs[0].shape:
        steps = op.inputs[0].elements // max(1, op.inputs[0].shape[-1])
        return steps * sum(w.elements for w in op.weights if len(w.shape) == 2)
    return _in_proportion(op, before)


def is_attention(op: Op) -> bool:
    """Whether an operator is attention as a whole: products with keys and values, and the softmax between them."""
    return op.kind == "attention" or dict(op.attributes).get("op", "").startswith("scaled_dot_product_attention")


def _attention_macs(op: Op) -> int:
    """Queries `[.., Tq, Dq]`, keys `[.., Tk, Dq]`, values `[.., Tk, Dv]`: rows of queries x Tk x (Dq + Dv)."""
    query, key, value = (t.shape for t in op.inputs[:3])
    return prod(query[:-1]) * key[-2] * (query[-1] + value[-1])


def _einsum_macs(op: Op) -> int:
    """One multiplication for every combination of the letters of `ij,jk->ik`."""
    terms = dict(op.attributes)["equation"].replace(" ", "").split("->")[0].split(",")
    tensors = (op.inputs + op.weights)[: len(terms)]
    return prod({letter: n for term, t in zip(terms, tensors) for letter, n in zip(term, t.shape)}.values())


def _contracted(op: Op) -> int | None:
    """The length that a product of matrices sums over, where both sides are there to tell."""
    matrices = [t.shape for t in op.inputs if len(t.shape) > 1]
    if len(op.inputs) > 1:
        return op.inputs[-2].shape[-1] if op.inputs[-2].shape else None
    constants = [w.shape for w in op.weights if len(w.shape) > 1]
    if not matrices or not constants:
        return None
    fits = matrices[0][-1] == constants[-1][-2]
    return matrices[0][-1] if fits else constants[-1][-1]


def _in_proportion(op: Op, before: Op) -> int:
    old = sum(t.elements for t in before.inputs + before.outputs) or 1
    return before.macs * sum(t.elements for t in op.inputs + op.outputs) // old


@dataclass(frozen=True)
class Workload:
    """A network as a device sees it.

    Attributes:
        ops: in execution order. inputs, outputs: names of the network's own activations.
        program: the same network as ONNX bytes, for devices whose runtime optimises it before it runs.
    """

    ops: tuple[Op, ...]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    program: bytes | None = None

    @property
    def macs(self) -> int:
        return sum(op.macs for op in self.ops)

    @property
    def weight_bytes(self) -> int:
        return sum(op.weight_bytes for op in self.ops)
