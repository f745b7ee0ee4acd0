"""Builder: ONNX networks written operator by operator, with random widths and weights, as our exporter writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES = 10
OPSET = 20
BATCH = "N"
"""Opset and name of the free batch dimension: those of exported files."""


class Builder:
    """Adds operators one by one, each with random weights; methods return the name of their output.

    `prefix` begins the name of everything that is added.
    """

    def __init__(self, seed: int, prefix: str = "") -> None:
        self.random = np.random.default_rng(seed)
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def width(self, least: int, most: int) -> int:
        """A random whole number, both ends included."""
        return int(self.random.integers(least, most + 1))

    def choice(self, *values: Any) -> Any:
        """One of the values."""
        return values[self.width(0, len(values) - 1)]

    def weight(self, *shape: int) -> str:
        values = self.random.standard_normal(shape) / np.sqrt(max(1, int(np.prod(shape[1:]))))
        return self.constant(values.astype(np.float32))

    def constant(self, values: NDArray[Any]) -> str:
        name = f"{self.prefix}weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.several(kind, 1, *inputs, **attributes)[0]

    def several(self, kind: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """An operator with several outputs."""
        name = f"{self.prefix}{kind.lower()}{len(self.nodes)}"
        outputs = [name, *(f"{name}.{n}" for n in range(1, count))]
        self.nodes.append(helper.make_node(kind, inputs, outputs, name=name, **attributes))
        return outputs

    def conv(self, x: str, given: int, made: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> str:
        weights = (self.weight(made, given // groups, kernel, kernel), self.weight(made))
        pads, strides = [kernel // 2] * 4, [stride, stride]
        return self.op("Conv", x, *weights, kernel_shape=[kernel] * 2, strides=strides, pads=pads, group=groups)

    def gemm(self, x: str, given: int, made: int) -> str:
        """A linear layer on `[N, given]`."""
        return self.op("Gemm", x, self.weight(made, given), self.weight(made), transB=1)

    def linear(self, x: str, given: int, made: int) -> str:
        """A linear layer on `[N, tokens, given]`."""
        weight = self.op("MatMul", x, self.weight(given, made))
        return self.op("Add", weight, self.weight(made))

    def norm(self, x: str, width: int) -> str:
        """Layer normalisation over the last axis."""
        return self.op("LayerNormalization", x, self.weight(width), self.weight(width), axis=-1, epsilon=1e-5)

    def relu(self, x: str) -> str:
        return self.op("Relu", x)

    def network(self, x: str, channels: int, size: int) -> bytes:
        """Pooling and a linear layer on top of images, as ONNX bytes with the batch free."""
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        return self.model(self.gemm(x, channels, CLASSES), (3, size, size))

    def model(self, x: str, given: Sequence[int], kind: int = TensorProto.FLOAT) -> bytes:
        """ONNX bytes: input `x` of type `kind` and shape `[N, *given]`, output `[N, CLASSES]`."""
        first = helper.make_tensor_value_info("x", kind, [BATCH, *given])
        last = helper.make_tensor_value_info(x, TensorProto.FLOAT, [BATCH, CLASSES])
        graph = helper.make_graph(self.nodes, "network", [first], [last], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
        return bytes(model.SerializeToString())
