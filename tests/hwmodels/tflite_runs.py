"""Runs a network as ONNX and as the tflite program that is written from it, on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwmodels.onnx_runtime import session
from hwmodels.profilers.runtimes.litert import open_interpreter
from hwmodels.profilers.tflite.convert import convert
from hwmodels.profilers.tflite.lower import LAST, PLAIN, order
from hwmodels.profilers.tflite.model import Model
from hwmodels.profilers.tflite.pack import pack

Array = NDArray[Any]
Values = Mapping[str, Array]


def samples(program: bytes, batch: int) -> dict[str, Array]:
    """Normal floats and small whole numbers."""
    random, found = np.random.default_rng(0), {}
    for given in session(program).get_inputs():
        shape = [size if isinstance(size, int) else batch for size in given.shape]
        floats = given.type == "tensor(float)"
        found[given.name] = (
            random.standard_normal(shape).astype(np.float32)
            if floats
            else random.integers(0, 2, shape).astype(np.int64)
        )
    return found


def expected(program: bytes, given: Values) -> list[Array]:
    """What onnxruntime computes."""
    return list(session(program).run(None, dict(given)))


def computed(model: Model, given: Values) -> list[Array]:
    """What LiteRT computes, with channels where ONNX has them."""
    interpreter = open_interpreter(pack(model), threads=1)
    for place, tensor in zip(interpreter.get_input_details(), model.inputs):
        value = given[tensor.name]
        turned = tensor.name in model.last
        interpreter.set_tensor(place["index"], value.transpose(order(value.ndim, LAST)) if turned else value)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(place["index"])) for place in interpreter.get_output_details()]


def outputs(program: bytes, batch: int = 1) -> list[tuple[Array, Array]]:
    """Of each output what onnxruntime and what LiteRT computes, in ONNX's layout."""
    given, model = samples(program, batch), convert(program, batch)
    names = [output.name for output in onnx.load_model_from_string(program).graph.output]
    turned = (
        got.transpose(order(got.ndim, PLAIN)) if name in model.last else got
        for name, got in zip(names, computed(model, given))
    )
    return list(zip(expected(program, given), turned, strict=True))


def both(program: bytes) -> tuple[Array, Array]:
    """The only output, from onnxruntime and from LiteRT."""
    ((want, got),) = outputs(program)
    return want, got


def error(program: bytes, batch: int = 1) -> float:
    """The largest difference of any output, relative to the largest number of that output."""
    worst = 0.0
    for want, got in outputs(program, batch):
        assert got.shape == want.shape
        worst = max(worst, float(np.abs(got.astype(float) - want).max() / max(1e-6, np.abs(want).max())))
    return worst


def network(nodes: list[Any], shape: tuple[int, ...], **constants: Array) -> bytes:
    """An ONNX network of these nodes from input `x` to output `y`."""
    fixed = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", *shape])
    graph = helper.make_graph(nodes, "network", [given], [onnx.ValueInfoProto(name="y")], fixed)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return bytes(model.SerializeToString())


def delegated(model: Model) -> bool:
    """Whether XNNPACK runs all of a program: every operator's results but the last's are its own business."""
    details = open_interpreter(pack(model), threads=1)._get_ops_details()
    parts = [detail for detail in details if detail["op_name"] == "DELEGATE"]
    return len(parts) == 1 and len(details) == len(model.operators) + 1
