"""The text that tells two of our own operators apart: kind, precision, shapes, attributes; no names.

Tables that come from elsewhere hold rows under it, for runtimes that don't tell their own nodes:

    conv out=32 int8 i8[1x16x14x14] * i8[*x16x3x3] -> i8[1x*x14x14] {geometry=[1,1][1,1][1,1]1 groups=1 transposed=0}
    pool fp32 f32[1x32x14x14] -> f32[1x32x7x7] {op=max_pool2d}

Tensors are `f` (16 bits and more) or `i` with their bits, and their shape, the batch first: inputs, behind `*` weights,
behind `->` outputs. `out=` is the width of the output, where an operator has weights that make it; wherever it stands
in a shape there is a `*`, so that signatures that differ in `out=` alone are one operator in several widths.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwmodels.workload import Op, TensorSpec

ANY = -1
"""Stands for the width of the output in a shape."""

_OUT = re.compile(r" out=(\d+)\b")


@dataclass(frozen=True)
class Signature:
    """A signature without its width, and the width: 0 where the operator has none."""

    pattern: str
    width: int = 0

    @property
    def text(self) -> str:
        kind, _, rest = self.pattern.partition(" ")
        return f"{kind} out={self.width} {rest}" if self.width else self.pattern


def op_signature(op: Op) -> str:
    """The signature of an operator: equal for operators that a device can't tell apart."""
    return signature_of(op).text


def signature_of(op: Op) -> Signature:
    """The same, with the width apart."""
    width = _width(op)
    inputs = " ".join(_tensor(spec) for spec in op.inputs)
    weights = "".join(f" {_tensor(_starred(spec, 0, width))}" for spec in op.weights)
    outputs = " ".join(_tensor(_starred(spec, _channels(op), width)) for spec in op.outputs)
    told = {name: _tidy(value) for name, value in op.attributes}
    if op.density < 1.0:
        told |= {"density": f"{op.density:.3g}", "pattern": op.pattern or "any"}
    if op.levels:
        told["levels"] = op.levels
    attributes = " ".join(f"{name}={value}" for name, value in sorted(told.items()))
    behind = f" *{weights}" if weights else ""
    return Signature(f"{op.kind} {op.precision} {inputs}{behind} -> {outputs} {{{attributes}}}", width)


def read_signature(text: str) -> Signature:
    """A signature from a table, blanks tidied; any text is one."""
    tidy = " ".join(text.split())
    found = _OUT.search(tidy)
    if found is None:
        return Signature(tidy)
    return Signature(tidy[: found.start()] + tidy[found.end() :], int(found.group(1)))


def _tidy(value: str) -> str:
    """An attribute without blanks; an operator without its overload and whether it works in place."""
    return value.replace(" ", "").removesuffix(".default").rstrip("_")


def _width(op: Op) -> int:
    """Output channels or features of a layer whose first weight begins with them."""
    if op.kind not in ("conv", "linear") or not op.weights or not op.outputs or not op.weights[0].shape:
        return 0
    shape, width = op.outputs[0].shape, op.weights[0].shape[0]
    return width if len(shape) > 1 and shape[_channels(op)] == width else 0


def _channels(op: Op) -> int:
    return 1 if op.kind == "conv" else -1


def _starred(spec: TensorSpec, axis: int, width: int) -> TensorSpec:
    """The tensor with `ANY` on this axis where that is the width."""
    if not width or not spec.shape or spec.shape[axis] != width:
        return spec
    shape = list(spec.shape)
    shape[axis] = ANY
    return TensorSpec(tuple(shape), spec.bits)


def _tensor(spec: TensorSpec) -> str:
    shape = "x".join("*" if size == ANY else str(size) for size in spec.shape)
    return f"{'f' if spec.bits >= 16 else 'i'}{spec.bits}[{shape}]"
