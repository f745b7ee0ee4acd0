"""Static quantisation of a network as our exporter writes it, without looking at data.

Codes stand around every convolution and linear layer: activations are unsigned bytes with one scale, weights signed
bytes with a scale per output channel, biases of convolutions and Gemms 32-bit codes; what lies between keeps floats.
Scales are made up: how long a kernel takes doesn't depend on them, but a zero point of 0 behind a ReLU does its work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

LAYERS = ("Conv", "Gemm", "MatMul")
STEP = np.float32(0.05)
"""Scale of every activation's codes."""


def int8(program: bytes) -> bytes:
    """The network with its layers in whole numbers (QDQ); layers whose weight isn't constant keep floats."""
    model = onnx.load_model_from_string(program)
    weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    codes = _Codes(model.graph, weights)
    for node in list(model.graph.node):
        codes.add(node)
    model.graph.ClearField("node")
    model.graph.node.extend(codes.nodes)
    model.graph.initializer.extend(codes.made)
    used = {name for node in codes.nodes for name in node.input}
    kept = [t for t in model.graph.initializer if t.name in used]
    model.graph.ClearField("initializer")
    model.graph.initializer.extend(kept)
    return bytes(model.SerializeToString())


class _Codes:
    """Copies a graph node by node. `coded` says under which name an activation has been through codes."""

    def __init__(self, graph: Any, weights: Mapping[str, NDArray[Any]]) -> None:
        self.weights = weights
        self.ends = {output.name for output in graph.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.nodes: list[Any] = []
        self.made: list[Any] = []
        self.coded: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.waiting: set[str] = set()
        """Outputs of layers, or of what follows them, behind which codes are due."""

    def add(self, node: Any) -> None:
        layer = node.op_type in LAYERS and node.input[1] in self.weights
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        names = [self.renamed.get(name, name) for name in node.input]
        due = layer or node.input[0] in self.waiting
        if layer:
            names = self._in_codes(node, names)
        del copy.input[:]
        copy.input.extend(names)
        self.nodes.append(copy)
        if due:
            self._behind(node)

    def _behind(self, node: Any) -> None:
        """Codes behind a layer's output, or behind the bias or activation that alone reads it."""
        output, readers = node.output[0], self.readers.get(node.output[0], [])
        if output in self.ends:
            return
        if len(readers) == 1 and self._belongs(node, readers[0]):
            self.waiting.add(output)
            return
        self.renamed[output] = self._quantised(output, 0 if node.op_type == "Relu" else 128)

    def _belongs(self, node: Any, reader: Any) -> bool:
        bias = node.op_type == "MatMul" and reader.op_type == "Add" and reader.input[1] in self.weights
        return bias or (reader.op_type == "Relu" and node.op_type != "Relu")

    def _in_codes(self, node: Any, names: Sequence[str]) -> list[str]:
        """A layer's inputs as codes."""
        source = names[0] if names[0] in self.renamed.values() else self._quantised(names[0], 128)
        weight = self.weights[node.input[1]]
        axis = 1 if node.op_type == "MatMul" else 0
        others = tuple(n for n in range(weight.ndim) if n != axis)
        steps = (np.abs(weight).max(others) / 127.0 + 1e-12).astype(np.float32)
        view = steps.reshape([-1 if n == axis else 1 for n in range(weight.ndim)])
        given = [source, self._decoded(node.input[1], np.round(weight / view).astype(np.int8), steps, axis)]
        if len(names) > 2:
            scales = (STEP * steps).astype(np.float32)
            given.append(self._decoded(node.input[2], np.round(self.weights[node.input[2]] / scales), scales, 0))
        return given

    def _decoded(self, name: str, codes: NDArray[Any], steps: NDArray[Any], axis: int) -> str:
        codes = codes if codes.dtype == np.int8 else codes.astype(np.int32)
        inputs = [self._constant(f"{name}/codes", codes), self._constant(f"{name}/steps", steps)]
        inputs.append(self._constant(f"{name}/zeros", np.zeros(len(steps), codes.dtype)))
        return self._node("DequantizeLinear", inputs, f"{name}/decoded", axis=axis)

    def _quantised(self, name: str, zero: int) -> str:
        """The activation as codes and back, once for all who ask."""
        if name not in self.coded:
            points = [self._constant(f"{name}/step", np.array(STEP))]
            points.append(self._constant(f"{name}/zero", np.array(zero, np.uint8)))
            codes = self._node("QuantizeLinear", [name, *points], f"{name}/quantised")
            self.coded[name] = self._node("DequantizeLinear", [codes, *points], f"{name}/decoded")
        return self.coded[name]

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self.made.append(numpy_helper.from_array(value, name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output
