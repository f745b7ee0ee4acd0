"""Batch normalisation goes into the weights of the convolution or linear layer before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.profilers.tflite.program import Op, Program

Array = NDArray[Any]


def folded(program: Program) -> Program:
    """The program without the batch normalisations that a layer with constant weights alone feeds."""
    constants = dict(program.constants)
    ops: list[Op] = []
    gone: set[int] = set()
    for op in program.ops:
        norm = program.only_reader(op.outputs[0]) if op.kind == "Conv" else None
        if norm is not None and norm.kind == "BatchNormalization" and _fixed(constants, op, norm):
            gone.add(id(norm))
            ops.append(_merged(constants, op, norm))
        elif id(op) not in gone:
            ops.append(op)
    shapes = dict(program.shapes) | {name: value.shape for name, value in constants.items()}
    return replace(program, ops=tuple(ops), constants=constants, shapes=shapes)


def _fixed(constants: dict[str, Array], conv: Op, norm: Op) -> bool:
    return all(name in constants for name in (*filter(None, conv.inputs[1:]), *norm.inputs[1:]))


def _merged(constants: dict[str, Array], conv: Op, norm: Op) -> Op:
    """The convolution with scaled weights and another bias, under the normalisation's name."""
    scale, shift, mean, variance = (constants[name].astype(np.float64) for name in norm.inputs[1:5])
    factor = scale / np.sqrt(variance + float(norm.attributes.get("epsilon", 1e-5)))
    weight = constants[conv.inputs[1]]
    bias = constants[conv.inputs[2]] if len(conv.inputs) > 2 and conv.inputs[2] else np.zeros(len(factor))
    names = (f"{norm.outputs[0]}/weight", f"{norm.outputs[0]}/bias")
    constants[names[0]] = (weight * factor.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32)
    constants[names[1]] = ((bias - mean) * factor + shift).astype(np.float32)
    return Op(conv.kind, (conv.inputs[0], *names), norm.outputs, conv.attributes)
