"""Three sound files of one small network, which the corpus breaks in every way."""

from __future__ import annotations

import io
import json
from functools import cache
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from methods.graph import file
from methods.storage.plain import Plain
from methods.storage.pool import joined
from methods.storage.records import Record, encode
from tests.hostile.zips import Member, build, deflated

RECORDS = (
    Plain(np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4)),
    Plain(np.linspace(-1, 1, 6, dtype=np.float32)),
    Plain(np.linspace(-1, 1, 18, dtype=np.float32).reshape(3, 6)),
)
NODES: list[Any] = [
    ["x", "placeholder", "x", [], {}],
    ["w", "get_attr", "fc.weight", [], {}],
    ["b", "get_attr", "fc.bias", [], {}],
    ["fc", "call_function", "aten.linear.default", ["%x", "%w", "%b"], {}],
    ["relu", "call_function", "aten.relu.default", ["%fc"], {}],
    ["w2", "get_attr", "head.weight", [], {}],
    ["head", "call_function", "aten.linear.default", ["%relu", "%w2"], {}],
    ["output", "output", "output", [["%head"]], {}],
]
DOCUMENT: dict[str, Any] = {
    "format": file.FORMAT,
    "inputs": [["x", [4], "float32", 0]],
    "outputs": ["output"],
    "sites": {},
    "rates": {},
    "nodes": NODES,
    "tensors": {"fc.weight": 1, "fc.bias": 1, "head.weight": 1},
}


def fwm(change: dict[str, Any] | None = None, text: bytes | None = None, weights: bytes | None = None) -> bytes:
    """A `.fwm` with parts of its document, all of its JSON, or its weights replaced."""
    text = json.dumps(DOCUMENT | (change or {})).encode() if text is None else text
    weights = blob() if weights is None else weights
    return build([deflated(b"graph.json", text), Member(b"weights.bin", weights)])


def blob(*records: Record) -> bytes:
    """Its weights, or others."""
    return joined([piece for record in records or RECORDS for piece in encode(record)])


def inserted(*rows: list[Any], output: str = "head") -> bytes:
    """A `.fwm` with nodes added before its output."""
    return fwm({"nodes": [*NODES[:-1], *rows, ["output", "output", "output", [["%" + output]], {}]]})


def call(target: str, *args: Any, name: str = "bad", **kwargs: Any) -> list[Any]:
    """A node that calls something."""
    return [name, "call_function", target, list(args), kwargs]


@cache
def pt2() -> bytes:
    """A real `.pt2`, written by torch."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3))
    exported = torch.export.export(model, (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    return buffer.getvalue()


def proto(nodes: list[onnx.NodeProto], tensors: list[TensorProto] | None = None, **changes: Any) -> onnx.ModelProto:
    """An ONNX model from `x` [batch, 4] to `y`; `changes` go to the model (opset, domain, functions)."""
    opset = changes.pop("opset", 17)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, changes.pop("shape", ["batch", 4]))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", None])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, weights() if tensors is None else tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in changes.pop("domains", []))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)


def weights() -> list[TensorProto]:
    """Its initializers `w` [4, 3] and `b` [3]."""
    w = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
    return [numpy_helper.from_array(w, "w"), numpy_helper.from_array(w[0], "b")]


def gemm() -> onnx.NodeProto:
    """Its only layer."""
    return helper.make_node("Gemm", ["x", "w", "b"], ["y"], "gemm")


def onnx_file() -> bytes:
    """A sound ONNX file."""
    return bytes(proto([gemm()]).SerializeToString())
