"""What a device sees of a network: operators in order, with shapes and bit-widths, and no framework types."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Dim:
    """Says that axis `axis` of tensor `tensor` holds `per_unit` entries for each of the `units` of a site's channels.

    `tensor` counts the operator's inputs, then outputs, then weights, in that order.
    """

    tensor: int
    axis: int
    site: str
    per_unit: int = 1
    units: int = 0


@dataclass(frozen=True)
class Op:
    """One operator.

    Attributes:
        name: the graph node it came from.
        kind: conv, linear, matmul, pool, norm, elementwise, softmax, recurrent, embedding, quantize or data.
        inputs, outputs: activations. weights: parameters, `[out, in, k, k]` for a convolution.
        macs: multiply-accumulates. reads, writes: names of the activations, for liveness.
        site: the site of its weights (`weight:fc1`), empty where it has none.
        dims: which axes follow which channel sites.
        attributes: what else tells two operators apart (stride, groups, fused activation).
        stored_bits: bits per weight in the packed file (codebook index width); 0 means as in `weights`.
        aliases: other names of its outputs: of what is fused into it or only passes it on.
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
    aliases: tuple[str, ...] = ()

    @property
    def precision(self) -> str:
        """`fp32` or `int8`, ...: the name of the arithmetic that this operator runs in."""
        bits = max((t.bits for t in self.weights[:1] + self.inputs[:1]), default=32)
        return f"fp{bits}" if bits >= 16 else f"int{bits}"

    @property
    def weight_bytes(self) -> int:
        return sum(w.bytes for w in self.weights)

    @property
    def activation_bytes(self) -> int:
        return sum(t.bytes for t in self.inputs + self.outputs)

    def with_widths(self, kept: dict[str, tuple[int, int]]) -> Op:
        """The same operator after pruning: `kept` maps a channel site to (units before, units kept)."""
        tensors = list(self.inputs + self.outputs + self.weights)
        for dim in self.dims:
            if dim.site not in kept:
                continue
            before, after = kept[dim.site]
            shape = list(tensors[dim.tensor].shape)
            shape[dim.axis] -= (before - after) * dim.per_unit
            tensors[dim.tensor] = replace(tensors[dim.tensor], shape=tuple(shape))
        a, b = len(self.inputs), len(self.inputs) + len(self.outputs)
        op = replace(self, inputs=tuple(tensors[:a]), outputs=tuple(tensors[a:b]), weights=tuple(tensors[b:]))
        return replace(op, macs=count_macs(op, self))


def count_macs(op: Op, before: Op) -> int:
    """Multiply-accumulates after a change of shape, exact for convolutions and linear layers."""
    if op.kind in ("conv", "linear") and op.weights:
        weight = op.weights[0]
        if dict(op.attributes).get("transposed") == "1":
            return op.inputs[0].elements * weight.elements // max(1, weight.shape[0])
        return op.outputs[0].elements * weight.elements // max(1, weight.shape[0])
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
