"""ONNX files made by hand, and what onnxruntime says they compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from hwmodels.onnx_runtime import ort
from methods.graph.ir import Graph
from methods.graph.load import load_graph
from methods.graph.onnx_out.export import export

Array = NDArray[Any]
IR_VERSIONS = {11: 6, 13: 7, 17: 8, 18: 8, 20: 9, 21: 10}
KINDS = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "int32": TensorProto.INT32, "bool": TensorProto.BOOL}


def floats(*shape: int, seed: int = 0, low: float = -1.0) -> Array:
    """Numbers between `low` and 1."""
    return np.random.default_rng(seed).uniform(low, 1.0, shape).astype(np.float32)


def ints(*values: int) -> Array:
    return np.array(values, np.int64)


def node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    """A node; `inputs` and `outputs` are names between spaces, `_` for one that is left out."""
    names = ["" if name == "_" else name for name in inputs.split()]
    return helper.make_node(
        op, names, outputs.split(), name=attributes.pop("name", f"{op}_{outputs.split()[0]}"), **attributes
    )


def model(
    nodes: Sequence[Any],
    inputs: dict[str, Sequence[Any]],
    held: dict[str, Array] | None = None,
    opset: int = 17,
    outputs: str = "y",
    kind: str = "float32",
) -> Any:
    """A model; the first axis of an input given as [] of sizes is the free batch N unless it is a number."""
    starts = [helper.make_tensor_value_info(n, KINDS[kind], list(shape)) for n, shape in inputs.items()]
    ends = [helper.make_empty_tensor_value_info(name) for name in outputs.split()]
    tensors = [numpy_helper.from_array(array, name) for name, array in (held or {}).items()]
    graph = helper.make_graph(list(nodes), "made", starts, ends, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    made.ir_version = IR_VERSIONS.get(opset, 10)
    return made


def saved(folder: Path, made: Any, name: str = "made.onnx") -> Path:
    path = folder / name
    path.write_bytes(made.SerializeToString())
    return path


def loaded(folder: Path, nodes: Sequence[Any], inputs: dict[str, Sequence[Any]], *args: Any, **kwargs: Any) -> Graph:
    """The Graph that is read from such a model; it and what our exporter makes of it are held against onnxruntime."""
    path = saved(folder, model(nodes, inputs, *args, **kwargs))
    graph = load_graph(path)
    first = next(iter(inputs.values()))[0]
    agree(graph, path.read_bytes(), graph.example(3 if isinstance(first, str) else first, seed=5))
    agree(graph, export(graph), graph.example(3, seed=6))
    return graph


def run(program: bytes, inputs: Sequence[torch.Tensor]) -> list[Array]:
    """What onnxruntime computes, as written."""
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(program, options, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return list(session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)}))


def agree(graph: Graph, program: bytes, inputs: Sequence[torch.Tensor], tolerance: float = 1e-4) -> None:
    """Asserts that a graph computes what onnxruntime does, relative to the largest number of each output."""
    with torch.no_grad():
        found = graph(*inputs)
    for have, want in zip(found, run(program, inputs), strict=True):
        assert tuple(have.shape) == want.shape
        np.testing.assert_allclose(
            have.numpy(), want, atol=tolerance * float(np.abs(want).max() + 1e-6), rtol=tolerance
        )
