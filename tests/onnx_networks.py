"""Tiny ONNX networks on 8 x 8 images, written by hand, for what needs a real runtime."""

from __future__ import annotations

from onnx import TensorProto, helper

from hwmodels.networks.builder import Builder
from hwmodels.networks.int8 import int8
from hwmodels.workload import Op, TensorSpec, Workload


def convolutional(width: int = 8, prefix: str = "", seed: int = 0) -> bytes:
    """Convolution, activation, pooling and a linear layer; `prefix` renames every weight and activation."""
    b = Builder(seed, prefix)
    x = b.op("MaxPool", b.relu(b.conv("x", 3, width)), kernel_shape=[2, 2], strides=[2, 2])
    return b.network(x, width, 8)


def residual(width: int = 16) -> bytes:
    """Two convolutions around a shortcut."""
    b = Builder(0)
    x = b.relu(b.conv("x", 3, width))
    y = b.conv(b.relu(b.conv(x, width, width)), width, width)
    return b.network(b.relu(b.op("Add", y, x)), width, 8)


def quantized(width: int = 16) -> bytes:
    """The convolutional network with static int8 quantisation."""
    return int8(convolutional(width))


def endless() -> bytes:
    """A loop that doesn't come back within anybody's lifetime."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["state", "state"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    times = helper.make_tensor("times", TensorProto.INT64, [], [2**62])
    go = helper.make_tensor("go_in", TensorProto.BOOL, [], [True])
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    loop = helper.make_node("Loop", ["times", "go_in", "x"], ["y"], body=body)
    graph = helper.make_graph([loop], "endless", [x], [y], [times, go])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def conv_op(name: str, width: int, given: int = 3, bits: int = 32) -> Op:
    """A 3 x 3 convolution on 8 x 8 as a device sees it."""
    weight = TensorSpec((width, given, 3, 3), bits)
    return Op(
        name,
        "conv",
        (TensorSpec((1, given, 8, 8), bits),),
        (TensorSpec((1, width, 8, 8), bits),),
        (weight,),
        macs=weight.elements * 64,
        reads=("x",),
        writes=(name,),
    )


def linear_op(name: str, width: int, reads: str) -> Op:
    """A linear layer from `width` features to ten."""
    weight = TensorSpec((10, width))
    given, made = TensorSpec((1, width)), TensorSpec((1, 10))
    return Op(name, "linear", (given,), (made,), (weight,), weight.elements, (reads,), (name,))


def workload(width: int = 8) -> Workload:
    """`convolutional` with its two layers as operators, under the names of its activations."""
    pooled = Op(
        "pool",
        "pool",
        (TensorSpec((1, width, 8, 8)),),
        (TensorSpec((1, width)),),
        reads=("conv0",),
        writes=("flatten4",),
    )
    ops = (conv_op("conv0", width), pooled, linear_op("gemm5", width, "flatten4"))
    return Workload(ops, ("x",), ("gemm5",), convolutional(width))


def row(key: str, minimum_s: float = 1e-6, **changes: object) -> dict[str, object]:
    """A stored measurement, some of its fields changed."""
    times = {"latency_s": minimum_s, "p10_s": minimum_s * 1.1, "median_s": minimum_s * 1.2}
    return {"key": key, "signature": f"{key}()", **times, "calls": 10, "disagreement": 0.01, **changes}
