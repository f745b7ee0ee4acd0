"""export: a Graph becomes an ONNX file that computes the same, checked against the graph.

Own translation instead of torch's: it takes milliseconds, so that every candidate can be lowered by the runtime that
will run it, and quantisers become QuantizeLinear / DequantizeLinear pairs where the runtime fuses them.
"""

from __future__ import annotations

import numpy as np
import torch
from onnx import TensorProto, helper
from torch import fx

from methods.graph.emitter import Emitter, ExportError
from methods.graph.ir import Graph
from methods.graph.onnx_ops import TRANSLATORS
from methods.graph.ops import kind_of

OPSET = 20
BATCH = "N"
"""Name of the free batch dimension in exported files."""

ELEMENT = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32}
ELEMENT |= {"bool": TensorProto.BOOL, "float64": TensorProto.DOUBLE, "uint8": TensorProto.UINT8}


def export(graph: Graph) -> bytes:
    """The graph in evaluation mode as ONNX bytes; the first axis of inputs and outputs is the free dimension N.

    Raises:
        ExportError: an operator has no ONNX form here; the message names the node.
    """
    emitter = Emitter(graph)
    outputs: list[str] = []
    for node in graph.nodes:
        if node.op == "placeholder":
            emitter.names[node] = node.name
        elif node.op == "output":
            outputs = [emitter.value(n) for n in node.args[0]]  # type: ignore[union-attr]
        elif node.op == "call_function" and kind_of(node.target) != "size" and not of_parameters(node):
            name = str(node.target).removeprefix("aten.").split(".")[0]
            translate = TRANSLATORS.get("getitem" if kind_of(node.target) == "getitem" else name)
            if translate is None:
                raise ExportError(f"node {node.name}: operator {name} has no ONNX translation yet")
            emitter.names[node] = translate(emitter, node)
    return _model(emitter, outputs)


def of_parameters(node: fx.Node) -> bool:
    """Whether a value depends on parameters alone."""
    if node.op == "get_attr":
        return True
    inputs = node.all_input_nodes
    return node.op == "call_function" and bool(inputs) and all(of_parameters(a) for a in inputs)


def _model(emitter: Emitter, outputs: list[str]) -> bytes:
    graph = emitter.graph
    inputs = [helper.make_tensor_value_info(s.name, ELEMENT[s.dtype], [BATCH, *s.shape]) for s in graph.inputs]
    ends = []
    last = graph.nodes[-1]
    for node, source, name in zip(last.all_input_nodes, outputs, graph.output_names, strict=True):
        emitter.emit("Identity", [source], name=name)
        shape = [BATCH if size == -1 else (None if size < 0 else size) for size in emitter.shape(node)]
        ends.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    body = helper.make_graph(emitter.nodes, "fitwright", inputs, ends, emitter.initializers)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="fitwright")
    model.ir_version = 10
    data: bytes = model.SerializeToString()
    return data


def check_export(graph: Graph, program: bytes, seed: int = 0) -> float:
    """Largest difference between onnxruntime and the graph on random inputs, relative to the largest output."""
    from hwmodels.onnx_runtime import ort  # heavy, and only needed to check

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in (1, 3):
        example = graph.example(batch, seed)
        with torch.no_grad():
            expected = graph(*example)
        actual = session.run(None, {s.name: x.numpy() for s, x in zip(graph.inputs, example, strict=True)})
        for want, got in zip(expected, actual, strict=True):
            scale = float(want.abs().max()) or 1.0
            worst = max(worst, float(np.abs(want.numpy() - got).max()) / scale)
    return worst
