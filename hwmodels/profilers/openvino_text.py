"""The text that tells pieces apart: operators, attributes, constants and wiring of ONNX nodes, without a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

SMALL = 16
"""Constant integers up to this many elements are told: target shapes, axes, pads."""


def text(nodes: Sequence[Any], constants: Mapping[str, Any]) -> str:
    """`Conv(%0, const float32[8, 3]){group=1}; Relu(%1){}`: activations by number, constants by type and shape."""
    numbers: dict[str, str] = {}
    parts = []
    for node in nodes:
        given = (_told(constants[n]) if n in constants else _number(n, numbers) for n in node.input)
        inside = ", ".join(f"{a.name}={_attribute(a)}" for a in sorted(node.attribute, key=lambda a: str(a.name)))
        parts.append(f"{node.op_type}({', '.join(given)}){{{inside}}}")
        for name in node.output:
            _number(name, numbers)
    return "; ".join(parts)


def _number(name: str, numbers: dict[str, str]) -> str:
    return numbers.setdefault(name, f"%{len(numbers)}") if name else "none"


def _told(tensor: Any) -> str:
    """Type and shape; of short lists of numbers what they are, of a zero point whether it is zero."""
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    size = int(np.prod(list(tensor.dims)))
    told = f"const {kind.name}{list(tensor.dims)}"
    if kind == np.int64 and size <= SMALL:
        return f"{told}={numpy_helper.to_array(tensor).tolist()}"
    if kind.itemsize == 1 and size == 1:
        return f"{told}{'!=' if numpy_helper.to_array(tensor).any() else '='}0"
    return told


def _attribute(attribute: Any) -> str:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, TensorProto):
        return _told(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
