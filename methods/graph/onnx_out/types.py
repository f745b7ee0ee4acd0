"""What translations to ONNX share: the error, element types, and axes."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor, fx

from methods.graph.ir import GraphError
from methods.graph.nodes import argument

ELEMENTS = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.float16: TensorProto.FLOAT16,
    torch.bfloat16: TensorProto.BFLOAT16,
    torch.int64: TensorProto.INT64,
    torch.int32: TensorProto.INT32,
    torch.int16: TensorProto.INT16,
    torch.int8: TensorProto.INT8,
    torch.uint8: TensorProto.UINT8,
    torch.bool: TensorProto.BOOL,
}


class ExportError(GraphError):
    """A graph has no faithful ONNX form."""


def element(dtype: torch.dtype) -> int:
    """ONNX's number for an element type. Raises ExportError where ONNX has none that we write."""
    if dtype not in ELEMENTS:
        raise ExportError(f"values of type {dtype} can't be written in ONNX; use real numbers of 16, 32 or 64 bits")
    return int(ELEMENTS[dtype])


def inner(dtype: torch.dtype) -> torch.dtype:
    """The type that a value has inside an exported file: float32, int64 or bool."""
    element(dtype)
    if dtype.is_floating_point:
        return torch.float32
    return torch.bool if dtype == torch.bool else torch.int64


def to_numpy(value: Tensor) -> NDArray[Any]:
    """A tensor as an array of its own."""
    array: NDArray[Any] = value.detach().cpu().contiguous().numpy()
    return array


def axis_of(node: fx.Node, rank: int, name: str = "dim", default: int = 0) -> int:
    """A non-negative axis argument."""
    value = argument(node, name, default)
    return int(value if value is not None else default) % max(1, rank)


def listed(value: Any, rank: int) -> list[int]:
    """A number or list of numbers as one number for each of `rank` axes."""
    values = [value] if isinstance(value, int) else list(value or [])
    return values * rank if len(values) == 1 else values


def refuse(node: fx.Node, why: str, instead: str) -> ExportError:
    """The error for what ONNX can't say: the node, its operator, the reason and what would do."""
    return ExportError(f"node {node.name} ({node.target}): {why}; {instead}")
