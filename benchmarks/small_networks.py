"""Small convolutional networks of random width as ONNX bytes, in three families, float32 or static int8."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import hwmodels.onnx_runtime  # noqa: F401 (before anything of onnxruntime)

CLASSES = 10


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

    def weight(self, *shape: int) -> str:
        name = f"{self.prefix}weight{len(self.weights)}"
        values = self.random.standard_normal(shape) / np.sqrt(max(1, int(np.prod(shape[1:]))))
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{self.prefix}{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, given: int, made: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> str:
        weights = (self.weight(made, given // groups, kernel, kernel), self.weight(made))
        pads, strides = [kernel // 2] * 4, [stride, stride]
        return self.op("Conv", x, *weights, kernel_shape=[kernel] * 2, strides=strides, pads=pads, group=groups)

    def relu(self, x: str) -> str:
        return self.op("Relu", x)

    def network(self, x: str, channels: int, size: int) -> bytes:
        """Pooling and a linear layer on top, as ONNX bytes with the batch free."""
        x = self.op("Flatten", self.op("GlobalAveragePool", x))
        x = self.op("Gemm", x, self.weight(CLASSES, channels), self.weight(CLASSES), transB=1)
        given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, size, size])
        made = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["N", CLASSES])
        graph = helper.make_graph(self.nodes, "network", [given], [made], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        return bytes(model.SerializeToString())


def plain(seed: int, size: int = 32) -> bytes:
    """Like VGG: pairs of 3 x 3 convolutions and pooling."""
    b = Builder(seed)
    x, channels = "x", 3
    for stage in range(3):
        for _ in range(2):
            wide = b.width(8 << stage, 40 << stage)
            x, channels = b.relu(b.conv(x, channels, wide)), wide
        x = b.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return b.network(x, channels, size)


def residual(seed: int, size: int = 32) -> bytes:
    """Like ResNet-20: three stages of three blocks."""
    b = Builder(seed)
    channels = b.width(4, 24)
    x = b.relu(b.conv("x", 3, channels))
    for stage in range(3):
        for block in range(3):
            inner, first = b.width(4 << stage, 24 << stage), block == 0 and stage > 0
            wide = b.width(4 << stage, 24 << stage) if first else channels
            y = b.relu(b.conv(x, channels, inner, stride=2 if first else 1))
            y = b.conv(y, inner, wide)
            past = b.conv(x, channels, wide, kernel=1, stride=2) if first else x
            x, channels = b.relu(b.op("Add", y, past)), wide
    return b.network(x, channels, size)


def depthwise(seed: int, size: int = 32) -> bytes:
    """Like MobileNetV2: inverted residual blocks."""
    b = Builder(seed)
    channels = b.width(8, 24)
    x = b.relu(b.conv("x", 3, channels))
    for stage in range(3):
        for block in range(3):
            inner, first = channels * b.width(2, 5), block == 0
            wide = b.width(6 << stage, 20 << stage) if first else channels
            y = b.relu(b.conv(x, channels, inner, kernel=1))
            y = b.relu(b.conv(y, inner, inner, stride=2 if first and stage else 1, groups=inner))
            y = b.conv(y, inner, wide, kernel=1)
            x, channels = (y if first else b.op("Add", x, y)), wide
    return b.network(x, channels, size)


FAMILIES = {"plain": plain, "residual": residual, "depthwise": depthwise}


def int8(program: bytes, size: int = 32) -> bytes:
    """The network with static quantisation (QDQ, uint8 activations, int8 weights per channel)."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    class Samples:
        def __init__(self) -> None:
            random = np.random.default_rng(0)
            shape = (1, 3, size, size)
            self.left: Iterator[Any] = iter([{"x": random.standard_normal(shape).astype(np.float32)} for _ in range(2)])

        def get_next(self) -> Any:
            return next(self.left, None)

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
        model = onnx.load_from_string(program)
        quantize_static(model, path, Samples(), quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
        return path.read_bytes()
