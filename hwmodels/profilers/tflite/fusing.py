"""What an operator takes in of those after it: a bias, an activation; and the codes that its result will be held in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwmodels.profilers.tflite.lower import Lowering
from hwmodels.profilers.tflite.model import Array, Scale
from hwmodels.profilers.tflite.program import Op

NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
"""Activations that a tflite operator can end with (`ActivationFunctionType`)."""

Bounds = tuple[float | None, float | None]

BOUNDS: Mapping[Bounds, int] = {(0.0, None): RELU, (0.0, 6.0): RELU6, (-1.0, 1.0): RELU_N1_TO_1}
"""Limits of a Clip -> the activation that it is."""

KEEPING = frozenset(
    ("Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity", "MaxPool", "Relu", "Concat", "Split")
)
"""Operators that give back values of their input: rounding to codes before them or after them is the same."""


@dataclass(frozen=True)
class Tail:
    """The value that an operator computes with all that it takes in, and those additions.

    `scale` is that of the codes that the value is rounded to before its activation, if it is.
    """

    name: str
    activation: int = NONE
    bias: Array | None = None
    scale: Scale | None = None


def tail(low: Lowering, op: Op, outputs: int = 0, codes: bool = False) -> Tail:
    """What comes after an operator and becomes part of it; `outputs` is the length of a bias that it can take.

    With `codes` its result may be rounded before the activation: both bounds are codes then, and order is no matter.
    """
    name, bias = op.outputs[0], None
    after = low.program.only_reader(name)
    if after is not None and after.kind == "Add" and outputs:
        bias = _bias(low, after, name, outputs)
        if bias is not None:
            low.done.add(id(after))
            name = after.outputs[0]
            after = low.program.only_reader(name)
    if after is not None and (kind := activation(low, after)):
        low.done.add(id(after))
        return Tail(after.outputs[0], kind, bias)
    return (_rounded(low, after, bias) if codes else None) or Tail(name, NONE, bias)


def _rounded(low: Lowering, quantize: Op | None, bias: Array | None) -> Tail | None:
    """QuantizeLinear, DequantizeLinear and an activation in a row."""
    if quantize is None or quantize.kind != "QuantizeLinear":
        return None
    back = low.program.only_reader(quantize.outputs[0])
    last = low.program.only_reader(back.outputs[0]) if back is not None else None
    kind = activation(low, last) if last is not None else NONE
    if back is None or last is None or not kind or back.kind != "DequantizeLinear":
        return None
    low.done.update(map(id, (quantize, back, last)))
    return Tail(last.outputs[0], kind, bias, scale_from(low, quantize))


def activation(low: Lowering, op: Op) -> int:
    """The activation that an ONNX operator is, NONE where a tflite operator can't end with it."""
    if op.kind == "Relu":
        return RELU
    if op.kind != "Clip":
        return NONE
    return BOUNDS.get(bounds(low, op), NONE)


def bounds(low: Lowering, op: Op) -> Bounds:
    """The limits of a Clip; None for one that isn't there."""
    given = [name for name in (*op.inputs[1:3], "", "")[:2]]
    found = [
        None if not name else float(low.needed(op, place + 1, "a limit").item()) for place, name in enumerate(given)
    ]
    return found[0], found[1]


def _bias(low: Lowering, add: Op, name: str, outputs: int) -> Array | None:
    others = [given for given in add.inputs if given != name]
    values = low.fixed(others[0]) if len(others) == 1 else None
    if values is None or values.size != outputs or values.shape[-1] != outputs:
        return None
    return np.asarray(values.reshape(-1))


def target(low: Lowering, name: str) -> Scale | None:
    """The codes that all readers of a value take it in; None where one of them takes floats."""
    readers = low.program.readers.get(name, ())
    if name in low.program.outputs or not readers:
        return None
    found = {_taken(low, op) for op in readers}
    return found.pop() if len(found) == 1 else None


def _taken(low: Lowering, op: Op) -> Scale | None:
    if op.kind == "QuantizeLinear":
        return scale_from(low, op)
    if op.kind not in KEEPING:
        return None
    found = {target(low, made) for made in op.outputs}
    return found.pop() if len(found) == 1 else None


def scale_from(low: Lowering, op: Op, codes: str = "uint8") -> Scale | None:
    """The scale of a QuantizeLinear or DequantizeLinear, zero points moved to those of int8; None for other widths.

    `codes` is the type that counts where no zero point is given.
    """
    steps = low.fixed(op.inputs[1])
    zeros = low.fixed(op.inputs[2]) if len(op.inputs) > 2 and op.inputs[2] else np.zeros(1, codes)
    if steps is None or zeros is None or zeros.dtype.itemsize > 1:
        return None
    shift = 128 if zeros.dtype == np.uint8 else 0
    moved = np.broadcast_to(zeros.reshape(-1).astype(np.int64) - shift, steps.size)
    axis = int(op.attributes.get("axis", 1))
    return Scale(tuple(map(float, steps.reshape(-1))), tuple(map(int, moved)), axis if steps.size > 1 else 0)
