"""Writing networks as tflite: LiteRT computes what onnxruntime computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import STEP, int8
from hwmodels.profilers.tflite.convert import convert
from hwmodels.profilers.tflite.pack import pack
from tests.hwmodels.tflite_runs import both, error, network

WRITTEN = sorted(set(FAMILIES) - {"recurrent"})
RANDOM = np.random.default_rng(0)


def node(kind: str, *inputs: str, to: str = "y", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs or ("x",), [to], **attributes)


def floats(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype(np.float32)


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("family", WRITTEN)
def test_networks_of_every_family_compute_the_same(family: str, batch: int) -> None:
    """To float32's accuracy, at the batch that they are written for."""
    assert error(FAMILIES[family](3), batch) < 1e-4


@pytest.mark.parametrize(("family", "which"), [("plain", -1), ("residual", -1), ("depthwise", -1), ("transformer", 6)])
def test_codes_are_the_same_within_one_step(family: str, which: int) -> None:
    """Of convolutional networks the last ones; in transformers, ever more of them are one off from block to block."""
    model = onnx.load_model_from_string(int8(FAMILIES[family](4)))
    codes = {n.output[0] for n in model.graph.node if n.op_type == "QuantizeLinear"}
    back = [n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear" and n.input[0] in codes]
    model.graph.output[0].CopyFrom(onnx.ValueInfoProto(name=back[which]))
    want, got = both(bytes(model.SerializeToString()))
    off = np.abs(want - got) / STEP
    assert off.max() < 1.01
    assert (off > 0.5).mean() < 0.03


def test_an_activation_behind_codes_is_taken_in() -> None:
    """A Clip between two quantisers, as behind the convolutions of MobileNet: one operator, within half a step."""
    step, point = np.float32(0.03), np.uint8(100)
    nodes = [
        node("QuantizeLinear", "x", "s", "z", to="q"),
        node("DequantizeLinear", "q", "s", "z", to="d"),
        node("DequantizeLinear", "w", "t", to="v", axis=0),
        node("Conv", "d", "v", to="c"),
        node("QuantizeLinear", "c", "s", "z", to="r"),
        node("DequantizeLinear", "r", "s", "z", to="e"),
        node("Clip", "e", "low", "high"),
    ]
    weights = {"w": RANDOM.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8), "t": np.full(6, 0.01, np.float32)}
    limits = {"low": np.float32(0), "high": np.float32(6)}
    program = network(nodes, (4, 8, 8), s=np.array(step), z=np.array(point), **weights, **limits)
    want, got = both(program)
    assert np.abs(want - got).max() <= step / 2 + 1e-6
    assert [operator.code for operator in convert(program, 1).operators] == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]


@pytest.mark.parametrize("family", WRITTEN)
def test_whole_numbers_make_a_file_smaller(family: str) -> None:
    """Weights of layers are a quarter; those whose result is wanted in floats keep them."""
    program = FAMILIES[family](5)
    assert len(pack(convert(int8(program), 1))) < 0.6 * len(pack(convert(program, 1)))


CASES: dict[str, tuple[list[Any], tuple[int, ...], dict[str, Any]]] = {
    "conv, stride 2": (
        [node("Conv", "x", "w", "b", strides=[2, 2], pads=[1] * 4)],
        (4, 8, 8),
        {"w": floats(6, 4, 3, 3), "b": floats(6)},
    ),
    "conv, dilated": ([node("Conv", "x", "w", dilations=[2, 2], pads=[2] * 4)], (4, 9, 9), {"w": floats(6, 4, 3, 3)}),
    "conv, groups": ([node("Conv", "x", "w", group=2)], (4, 7, 7), {"w": floats(6, 2, 3, 3)}),
    "conv, depthwise twice": ([node("Conv", "x", "w", group=4)], (4, 7, 7), {"w": floats(8, 1, 3, 3)}),
    "conv, one axis": ([node("Conv", "x", "w", pads=[2, 2], strides=[2])], (4, 11), {"w": floats(6, 4, 5)}),
    "conv, even kernel": ([node("Conv", "x", "w", pads=[1, 0, 0, 1])], (4, 8, 8), {"w": floats(3, 4, 2, 2)}),
    "conv, transposed": (
        [node("ConvTranspose", "x", "w", "b", strides=[2, 2], pads=[1] * 4)],
        (4, 5, 6),
        {"w": floats(4, 3, 4, 4), "b": floats(3)},
    ),
    "conv, transposed, longer": (
        [node("ConvTranspose", "x", "w", strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])],
        (4, 5, 6),
        {"w": floats(4, 3, 3, 3)},
    ),
    "resize, linear": ([node("Resize", "x", "", "", "s", mode="linear")], (3, 5, 6), {"s": ints(2, 3, 9, 12)}),
    "resize, nearest": (
        [node("Resize", "x", "", "", "s", coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
        (3, 5, 6),
        {"s": ints(2, 3, 10, 18)},
    ),
    "channels into space": ([node("DepthToSpace", blocksize=2, mode="CRD")], (12, 5, 6), {}),
    "channels into space, DCR": ([node("DepthToSpace", blocksize=2)], (12, 5, 6), {}),
    "gelu by parts": (
        [
            node("Div", "x", "r", to="d"),
            node("Erf", "d", to="e"),
            node("Add", "e", "one", to="a"),
            node("Mul", "x", "a", to="m"),
            node("Mul", "m", "half"),
        ],
        (9,),
        {"r": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
    ),
    "max pool, edges": ([node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)], (4, 8, 8), {}),
    "max pool, ceil": ([node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)], (4, 7, 7), {}),
    "average pool": ([node("AveragePool", kernel_shape=[3, 3], pads=[1] * 4)], (4, 8, 8), {}),
    "average pool, edges count": (
        [node("AveragePool", kernel_shape=[3, 3], pads=[1] * 4, count_include_pad=1)],
        (4, 8, 8),
        {},
    ),
    "batch norm": (
        [node("Conv", "x", "w", to="c"), node("BatchNormalization", "c", "s", "b", "m", "v")],
        (4, 7, 7),
        {"w": floats(6, 4, 3, 3), "s": floats(6), "b": floats(6), "m": floats(6), "v": floats(6) ** 2},
    ),
    "flatten after conv": (
        [node("Conv", "x", "w", to="c"), node("Flatten", "c", to="f"), node("Gemm", "f", "g", transB=1)],
        (4, 7, 7),
        {"w": floats(6, 4, 3, 3), "g": floats(5, 150)},
    ),
    "channel shuffle": (
        [
            node("Conv", "x", "w", to="c"),
            node("Reshape", "c", "s", to="r"),
            node("Transpose", "r", to="t", perm=[0, 2, 1, 3, 4]),
            node("Reshape", "t", "u"),
        ],
        (4, 7, 7),
        {"w": floats(6, 4, 3, 3), "s": ints(-1, 2, 3, 5, 5), "u": ints(-1, 6, 5, 5)},
    ),
    "broadcast against channels": (
        [node("Conv", "x", "w", to="c"), node("Mul", "c", "s", to="m"), node("Add", "m", "b")],
        (4, 7, 7),
        {"w": floats(6, 4, 3, 3), "s": floats(6, 1, 1), "b": floats(5)},
    ),
    "softmax over channels": ([node("Softmax", axis=1)], (4, 7, 7), {}),
    "softmax over rows": ([node("Softmax", axis=2)], (4, 6, 5), {}),
    "clip": ([node("Clip", "x", "a", "b")], (9,), {"a": np.float32(-0.3), "b": np.float32(0.5)}),
    "hard sigmoid": ([node("HardSigmoid", alpha=1 / 6, beta=0.5)], (9,), {}),
    "hard swish": ([node("HardSwish")], (9,), {}),
    "slice with steps": (
        [node("Slice", "x", "a", "b", "c", "d")],
        (4, 8, 9),
        {"a": ints(1, -6), "b": ints(4, 9), "c": ints(1, 3), "d": ints(1, 2)},
    ),
    "pad with ones": ([node("Pad", "x", "p", "v")], (4, 5), {"p": ints(0, 1, 2, 0, 0, 3), "v": np.float32(1)}),
    "pick one": ([node("Gather", "x", "i", axis=2)], (4, 5, 6), {"i": np.array(-2, np.int64)}),
    "mean, axes gone": ([node("ReduceMean", "x", "a", keepdims=0)], (4, 5, 6), {"a": ints(-1, 2)}),
    "square root of squares": ([node("Pow", "x", "p", to="s"), node("Sqrt", "s")], (9,), {"p": np.float32(2)}),
    "product with a turned factor": (
        [node("Transpose", to="t", perm=[0, 2, 1]), node("MatMul", "x", "t")],
        (4, 5),
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operators_compute_the_same(case: str) -> None:
    """Each in the form that tflite has for it."""
    nodes, shape, constants = CASES[case]
    assert error(network(nodes, shape, **constants), batch=2) < 1e-5


def test_what_can_not_be_written_is_named() -> None:
    """The operator, and the activation that it computes."""
    with pytest.raises(UnsupportedOp, match=r"^LSTM \("):
        convert(FAMILIES["recurrent"](0), 1)
    three = network([node("Conv", "x", "w")], (2, 5, 5, 5), w=floats(2, 2, 3, 3, 3))
    with pytest.raises(UnsupportedOp, match=r"Conv \(y\) moves over 3 axes"):
        convert(three, 1)
    edges = network([node("Pad", "x", "p", mode="reflect")], (4, 5), p=ints(0, 0, 1, 0, 0, 1))
    with pytest.raises(UnsupportedOp, match=r"Pad \(y\): only padding with a constant"):
        convert(edges, 1)


def test_what_is_no_network_is_refused() -> None:
    """Bytes of something else, and a network that onnxruntime can't run."""
    with pytest.raises(MeasurementFailed, match="the network can't be read"):
        convert(b"no network", 1)
    with pytest.raises(MeasurementFailed, match="the network can't be read"):
        convert(network([node("Conv", "x", "w")], (4, 5, 5), w=floats(6, 3, 3, 3)), 1)


def test_free_dimensions_but_the_batch_are_refused() -> None:
    """A tflite program is written for one size of everything."""
    model = onnx.load_model_from_string(network([node("Relu")], (4,)))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "words"
    with pytest.raises(UnsupportedOp, match="input x has the free dimension 'words'"):
        convert(bytes(model.SerializeToString()), 1)
