"""What onnxruntime's integer kernels make of a quantised graph."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from hwmodels.onnx_runtime import session
from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.nodes import name_of
from methods.graph.observe import observe
from methods.graph.onnx_out.export import export
from methods.quantization import Quantization
from tests.zoo.catalogue import network

NETWORKS = pytest.mark.parametrize("name", ["plain", "residual", "depthwise"])


def in_eight_bits(name: str, **settings: object) -> Graph:
    """A small network, every layer in int8."""
    graph = capture(*network(name))
    sites = dict.fromkeys((use.site for use in graph.weight_uses()), "int8")
    return Quantization(**settings).apply(graph, sites, Data(graph.example(64)))  # type: ignore[arg-type]


def run(program: onnx.ModelProto | bytes, inputs: tuple[torch.Tensor, ...], names: list[str]) -> list[np.ndarray]:
    data = program if isinstance(program, bytes) else program.SerializeToString()
    opened = session(data)
    feeds = {i.name: x.numpy() for i, x in zip(opened.get_inputs(), inputs, strict=True)}
    return list(opened.run(names, feeds))


@pytest.mark.seed("integer-only-quant")
@pytest.mark.parametrize("settings", [{}, {"symmetric": False}, {"granularity": "tensor"}])
@NETWORKS
def test_the_runtime_and_the_graph_agree_within_a_step(name: str, settings: dict[str, object]) -> None:
    """Every quantised value inside, on new samples: 99.9 per cent within one step of its codes; scores within one of
    the 255 steps of their range."""
    small = in_eight_bits(name, **settings)
    nodes = [n for n in small.nodes if n.op == "call_function" and name_of(n) == "fake_quantize_per_tensor_affine"]
    names, inputs = [n.name for n in nodes], small.example(32, seed=1)
    program = onnx.load_from_string(export(small))
    program.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
    seen = next(observe(small, inputs, names))
    pairs = zip(nodes, run(program, inputs, names), strict=True)
    gaps = [np.abs(seen[n.name].numpy() - got).reshape(-1) / float(n.args[1]) for n, got in pairs]  # type: ignore[arg-type]
    assert (np.concatenate(gaps) < 1.01).mean() >= 0.999
    scores = small(*inputs)[0].detach().numpy()
    (got,) = run(export(small), inputs, list(small.output_names))
    assert np.abs(got - scores).max() <= (scores.max() - scores.min()) / 255


@NETWORKS
def test_layers_run_in_integer_kernels(name: str, tmp_path: object) -> None:
    """Nothing is left of Conv and Gemm in what the runtime makes of the file."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = f"{tmp_path}/optimised.onnx"
    small = in_eight_bits(name)
    ort.InferenceSession(export(small), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node)
    assert not kinds.keys() & {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul"}
    assert kinds["QLinearConv"] + kinds["QGemm"] == len(list(small.weight_uses()))
