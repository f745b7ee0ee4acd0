"""TensorProto to torch: sizes are held against bytes before anything is allocated, and no other file is ever opened."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, numpy_helper
from torch import Tensor

from methods.graph.nodes_json import BadFile

INPUTS = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float32",
    TensorProto.FLOAT16: "float32",
    TensorProto.BFLOAT16: "float32",
    TensorProto.INT64: "int64",
    TensorProto.INT32: "int32",
    TensorProto.INT16: "int16",
    TensorProto.INT8: "int8",
    TensorProto.UINT8: "uint8",
    TensorProto.BOOL: "bool",
}
"""ONNX element type -> the graph's: every float is trained as float32."""

_BYTES = {
    TensorProto.FLOAT: 4,
    TensorProto.DOUBLE: 8,
    TensorProto.FLOAT16: 2,
    TensorProto.BFLOAT16: 2,
    TensorProto.INT64: 8,
    TensorProto.INT32: 4,
    TensorProto.INT16: 2,
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.BOOL: 1,
}
_FIELDS = {TensorProto.FLOAT: "float_data", TensorProto.DOUBLE: "double_data", TensorProto.INT64: "int64_data"}
"""Where numbers are kept that are not raw bytes; everything else is in int32_data."""


def type_name(element: int) -> str:
    """The ONNX name of an element type, or its number."""
    known: dict[int, str] = {number: name for name, number in TensorProto.DataType.items()}
    return known.get(element, str(element))


def dtype_of(element: int, where: str) -> torch.dtype:
    """The torch type that an ONNX element type becomes. Raises BadFile for strings, complex and 4-bit types."""
    if element not in INPUTS:
        raise BadFile(f"{where} has the element type {type_name(element)}; use float32, int64, int32, int8 or bool")
    found: torch.dtype = getattr(torch, INPUTS[element])
    return found


def check_inside(proto: Any, where: str) -> None:
    """Raises BadFile where a tensor's numbers are in another file, or its shape and its bytes disagree."""
    if proto.data_location == TensorProto.EXTERNAL or len(proto.external_data):
        raise BadFile(
            f"tensor {where!r} keeps its data in another file, which is never opened; save the model in one piece: "
            "onnx.save(onnx.load(path), path, save_as_external_data=False)"
        )
    if proto.HasField("segment"):
        raise BadFile(f"tensor {where!r} is cut into segments, which is not supported; save it whole")
    element = proto.data_type
    dtype_of(element, f"tensor {where!r}")
    if any(size < 0 for size in proto.dims) or len(proto.dims) > 8:
        raise BadFile(f"tensor {where!r} has the impossible shape {list(proto.dims)[:12]}")
    count = prod(proto.dims)
    if proto.HasField("raw_data"):
        held, wanted, what = len(proto.raw_data), count * _BYTES[element], "bytes"
    else:
        held, wanted, what = len(getattr(proto, _FIELDS.get(element, "int32_data"))), count, "numbers"
    if held != wanted:
        raise BadFile(f"tensor {where!r} of shape {list(proto.dims)} needs {wanted} {what} but holds {held}")


def to_torch(proto: Any, where: str) -> Tensor:
    """The tensor, floats as float32. Raises BadFile."""
    check_inside(proto, where)
    array = numpy_helper.to_array(proto)
    if proto.data_type == TensorProto.BFLOAT16:
        array = array.astype(np.float32)
    wanted = dtype_of(proto.data_type, f"tensor {where!r}")
    return torch.from_numpy(np.array(array)).to(wanted)
