"""What can be counted in an ONNX program without a runtime: multiply-accumulates, parameters, bytes by operator."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import onnx
from onnx import shape_inference

from hwmodels.networks.builder import BATCH

FREE = frozenset({"Reshape", "Flatten", "Squeeze", "QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True)
class Counts:
    """Multiply-accumulates and parameters of a network, and (MACs, bytes) of each operator that does something."""

    macs: int
    parameters: int
    operators: tuple[tuple[int, int], ...]


def count(program: bytes, batch: int) -> Counts:
    """Counts of a float network, every value taken for 4 bytes."""
    model = onnx.load_model_from_string(program)
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == BATCH:
                dim.dim_value = batch
    model = shape_inference.infer_shapes(model, data_prop=True)
    shapes = {t.name: tuple(t.dims) for t in model.graph.initializer}
    fixed = set(shapes)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        shapes[value.name] = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    nodes = [node for node in model.graph.node if node.op_type not in FREE]
    operators = tuple((_macs(node, shapes), _bytes(node, shapes)) for node in nodes)
    parameters = sum(prod(shapes[name]) for name in fixed)
    return Counts(sum(macs for macs, _ in operators), parameters, operators)


def _macs(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    weight = shapes.get(node.input[1], ()) if len(node.input) > 1 else ()
    made = prod(shapes.get(node.output[0], ()))
    if node.op_type == "Conv":
        return made * prod(weight[1:])
    if node.op_type == "Gemm":
        return made * weight[1]
    if node.op_type == "MatMul":
        return made * weight[-2]
    if node.op_type in ("LSTM", "GRU"):
        time, batch = shapes[node.input[0]][:2]
        return time * batch * (prod(weight) + prod(shapes[node.input[2]]))
    return 0


def _bytes(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    return 4 * sum(prod(shapes.get(name, (0,))) for name in (*node.input, *node.output) if name)
