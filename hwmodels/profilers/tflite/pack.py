"""The bytes of a tflite program (flatbuffer schema of LiteRT, file identifier TFL3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from hwmodels.base import MissingRuntime
from hwmodels.profilers.installed import installed
from hwmodels.profilers.tflite.model import Model, Operator, Tensor

OPTIONS: Mapping[str, str] = {
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "TRANSPOSE_CONV": "TransposeConvOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "BATCH_MATMUL": "BatchMatMulOptions",
    "ADD": "AddOptions",
    "SUB": "SubOptions",
    "MUL": "MulOptions",
    "DIV": "DivOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "SUM": "ReducerOptions",
    "REDUCE_MAX": "ReducerOptions",
    "REDUCE_MIN": "ReducerOptions",
    "REDUCE_PROD": "ReducerOptions",
    "SOFTMAX": "SoftmaxOptions",
    "GELU": "GeluOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "CONCATENATION": "ConcatenationOptions",
    "SPLIT_V": "SplitVOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "GATHER": "GatherOptions",
    "CAST": "CastOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_BILINEAR": "ResizeBilinearOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "DEPTH_TO_SPACE": "DepthToSpaceOptions",
}
"""Operator -> its table of options in the schema; the others have none that matter."""

VERSIONS: Mapping[str, int] = {"BROADCAST_TO": 2}
"""Operators that the runtime has from a later version on."""

TYPES: Mapping[str, str] = {
    "float32": "FLOAT32",
    "int8": "INT8",
    "uint8": "UINT8",
    "int32": "INT32",
    "int64": "INT64",
    "bool": "BOOL",
    "float16": "FLOAT16",
    "float64": "FLOAT64",
}


def pack(model: Model) -> bytes:
    """The program as a tflite file. Raises MissingRuntime where the schema isn't installed."""
    schema = _schema()
    tensors = _tensors(model)
    places = {id(tensor): place for place, tensor in enumerate(tensors)}
    codes = list(dict.fromkeys(operator.code for operator in model.operators))
    graph = schema.SubGraphT()
    buffers = [schema.BufferT()]
    graph.tensors = [_tensor(schema, tensor, buffers) for tensor in tensors]
    graph.operators = [_operator(schema, operator, places, codes) for operator in model.operators]
    graph.inputs = [places[id(tensor)] for tensor in model.inputs]
    graph.outputs = [places[id(tensor)] for tensor in model.outputs]
    whole = schema.ModelT()
    whole.version, whole.description, whole.buffers, whole.subgraphs = 3, "fitwright", buffers, [graph]
    whole.operatorCodes = [_code(schema, code) for code in codes]
    return _bytes(whole)


@cache
def _schema() -> Any:
    installed("litert")
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError as error:
        raise MissingRuntime(f"writing tflite files: {error}: pip install 'fitwright[litert]'") from None
    return schema_py_generated


def _bytes(whole: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(whole.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensors(model: Model) -> list[Tensor]:
    """Each once, in the order of their use."""
    found = {id(tensor): tensor for tensor in model.inputs}
    for operator in model.operators:
        found |= {id(t): t for t in (*operator.inputs, *operator.outputs) if t is not None}
    found |= {id(tensor): tensor for tensor in model.outputs}
    return list(found.values())


def _tensor(schema: Any, tensor: Tensor, buffers: list[Any]) -> Any:
    made = schema.TensorT()
    made.name, made.shape = tensor.name, list(tensor.shape)
    made.type = getattr(schema.TensorType, TYPES[tensor.dtype])
    made.buffer = 0
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
        made.buffer = len(buffers)
        buffers.append(buffer)
    if tensor.scale is not None:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array(tensor.scale.scale, np.float32)
        made.quantization.zeroPoint = np.array(tensor.scale.zero, np.int64)
        made.quantization.quantizedDimension = tensor.scale.axis
    return made


def _code(schema: Any, code: str) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, code)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)
    made.version = VERSIONS.get(code, 1)
    return made


def _operator(schema: Any, operator: Operator, places: Mapping[int, int], codes: list[str]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = codes.index(operator.code)
    made.inputs = [-1 if tensor is None else places[id(tensor)] for tensor in operator.inputs]
    made.outputs = [places[id(tensor)] for tensor in operator.outputs]
    if operator.code in OPTIONS:
        name = OPTIONS[operator.code]
        made.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        made.builtinOptions = getattr(schema, f"{name}T")()
        for field, value in operator.options.items():
            setattr(made.builtinOptions, field, value)
    return made
