"""The text that tells two runtime nodes apart: operator, attributes, shapes, types, constants, settings; no names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from hwmodels.profilers.runtimes.onnxruntime import masked

SMALL = 16
"""Constant integers up to this many elements are part of a signature: target shapes, axes, pads."""

SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
"""Operators whose time depends on the numbers that they are given."""

Values = Mapping[str, NDArray[Any]]


def op_type(node: Any) -> str:
    """The operator with its domain, the standard domain left out: `com.microsoft.nchwc.Conv`, `Gemm`."""
    return f"{node.domain}.{node.op_type}" if node.domain else str(node.op_type)


def signature(node: Any, values: Values, constants: Mapping[str, Any], settings: str) -> str:
    """`Op(inputs) -> outputs {attributes} settings`, with `values` for activations and `constants` as TensorProtos."""
    inputs = ", ".join(_constant(constants[n]) if n in constants else _activation(n, values) for n in node.input)
    outputs = ", ".join(_activation(n, values) for n in node.output)
    attributes = ", ".join(f"{a.name}={_attribute(a)}" for a in sorted(node.attribute, key=lambda a: str(a.name)))
    share = masked_share(node, values)
    return f"{op_type(node)}({inputs}) -> {outputs} {{{attributes}}} {settings}" + (
        f" masked={share:.2f}" if share else ""
    )


def masked_share(node: Any, values: Values) -> float:
    """The share of a softmax's scores that are masked: their exponentials are too small for a processor's fast path,
    and a causal mask makes it take seven times as long (a Xeon of 2023)."""
    scores = values.get(node.input[0]) if node.op_type in SOFTMAX else None
    return 0.0 if scores is None else float(masked(scores).mean())


def _activation(name: str, values: Values) -> str:
    return f"{values[name].dtype}{list(values[name].shape)}" if name else "none"


def _constant(tensor: Any) -> str:
    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    text = f"const {kind.name}{list(tensor.dims)}"
    if kind == np.int64 and int(np.prod(list(tensor.dims))) <= SMALL:
        text += f"={numpy_helper.to_array(tensor).tolist()}"
    return text


def _attribute(attribute: Any) -> str:
    if attribute.type == onnx.AttributeProto.TENSOR:
        return hashlib.sha256(attribute.t.SerializeToString()).hexdigest()[:16]
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(list(value)) if hasattr(value, "__iter__") else repr(value)
