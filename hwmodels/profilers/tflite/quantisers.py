"""QuantizeLinear and DequantizeLinear: operators of their own only where neighbours don't compute in the codes."""

from __future__ import annotations

import numpy as np

from hwmodels.base import UnsupportedOp
from hwmodels.profilers.tflite.fusing import scale_from
from hwmodels.profilers.tflite.lower import Lowering
from hwmodels.profilers.tflite.model import Scale
from hwmodels.profilers.tflite.program import Op


def quantize(low: Lowering, op: Op) -> None:
    """The value in codes; written now if it isn't held in them."""
    scale = scale_from(low, op)
    if scale is None or scale.per_channel:
        raise UnsupportedOp(f"{op}: activations are quantised to 8 bits with one scale in tflite files, not otherwise")
    low.quantised[op.outputs[0]] = (op.inputs[0], scale)
    layout = low.layout_of(op.inputs[0])
    low.put(op.outputs[0], low.want(op.inputs[0], layout, scale), layout)


def dequantize(low: Lowering, op: Op) -> None:
    """Floats again for those who ask for them; constants stay codes beside their scale."""
    given, made = op.inputs[0], op.outputs[0]
    if given in low.quantised:
        low.alias(made, given)
        return
    codes = low.program.constants.get(given)
    if codes is None:
        raise UnsupportedOp(f"{op}: its input is neither a constant nor the result of a QuantizeLinear")
    if codes.dtype.itemsize == 1 and (scale := scale_from(low, op, codes.dtype.name)) is not None:
        shift = 128 if codes.dtype == np.uint8 else 0
        low.codes[made] = ((codes.astype(np.int16) - shift).astype(np.int8), scale)
        return
    steps, zeros = low.needed(op, 1, "its scale"), low.fixed(op.inputs[2]) if len(op.inputs) > 2 else None
    axis = int(op.attributes.get("axis", 1)) if steps.size > 1 else 0
    moved = np.zeros(steps.size, np.int64) if zeros is None else zeros.reshape(-1).astype(np.int64)
    low.codes[made] = (codes, Scale(tuple(map(float, steps.reshape(-1))), tuple(map(int, moved)), axis))
