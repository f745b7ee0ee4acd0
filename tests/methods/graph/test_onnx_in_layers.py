"""Layers with weights, pooling, resizing, recurrent layers and quantisers: onnxruntime computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from methods.graph.nodes_json import BadFile
from methods.graph.ops import kind_of
from tests.methods.graph.onnx_made import floats, ints, loaded, node

IMAGE = {"x": ["N", 4, 7, 6]}

WINDOWS: list[dict[str, Any]] = [
    {},
    {"strides": [2, 1], "pads": [1, 1, 1, 1]},
    {"pads": [0, 1, 2, 1], "strides": [2, 2]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 1]},
    {"auto_pad": "VALID"},
]


@pytest.mark.parametrize("settings", [*WINDOWS, {"dilations": [2, 1]}, {"group": 2}])
def test_convolutions(settings: dict[str, Any], tmp_path: Path) -> None:
    """Strides, uneven padding, dilation, groups; the weight is named after its initializer."""
    held = {"stem.weight": floats(6, 4 // settings.get("group", 1), 3, 2), "stem.bias": floats(6)}
    graph = loaded(tmp_path, [node("Conv", "x stem.weight stem.bias", **settings)], IMAGE, held, opset=11)
    assert [use.site for use in graph.weight_uses()] == ["weight:stem"]


@pytest.mark.parametrize(("op", "rank"), [("Conv", 1), ("Conv", 3), ("ConvTranspose", 1), ("ConvTranspose", 3)])
def test_other_ranks(op: str, rank: int, tmp_path: Path) -> None:
    """One and three axes behind the channels."""
    loaded(tmp_path, [node(op, "x w")], {"x": ["N", 3, *[5] * rank]}, {"w": floats(3, 3, *[2] * rank)})


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": [2, 2]},
        {"strides": [2, 2], "output_padding": [1, 0], "pads": [1, 1, 1, 1]},
        {"pads": [1, 0, 0, 1]},
        {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        {"output_shape": [14, 13], "strides": [2, 2]},
        {"group": 2, "dilations": [2, 1]},
    ],
)
def test_transposed_convolutions(settings: dict[str, Any], tmp_path: Path) -> None:
    """Padding that is cut off, given outputs, groups."""
    held = {"w": floats(4, 3, 3, 3), "b": floats(3 * settings.get("group", 1))}
    loaded(tmp_path, [node("ConvTranspose", "x w b", **settings)], IMAGE, held, opset=13)


@pytest.mark.parametrize("trans", [0, 1])
@pytest.mark.parametrize("addend", [(), (1,), (5,), (1, 5)])
@pytest.mark.parametrize("scales", [{}, {"alpha": 0.5, "beta": 2.0}])
def test_gemm_is_a_linear_layer(trans: int, addend: tuple[int, ...], scales: dict[str, float], tmp_path: Path) -> None:
    """Whatever its flags, the weight is kept as [out, in] and the addend as a bias."""
    held = {"fc.weight": floats(*((5, 4) if trans else (4, 5))), "fc.bias": floats(*addend)}
    made = node("Gemm", "x fc.weight fc.bias", name="/fc/Gemm", transB=trans, **scales)
    graph = loaded(tmp_path, [made], {"x": ["N", 4]}, held)
    assert [(u.weight, tuple(graph.tensor(u.weight).shape)) for u in graph.weight_uses()] == [("fc.weight", (5, 4))]
    assert graph.tensor("fc.bias").shape == (5,)


def test_matmul_and_add_are_a_linear_layer(tmp_path: Path) -> None:
    """As Keras and sklearn converters write dense layers; on three axes too, from either side of the sum."""
    nodes = [node("MatMul", "x w", "a", name="dense/MatMul"), node("Add", "b a", "c"), node("Relu", "c")]
    graph = loaded(tmp_path, nodes, {"x": ["N", 3, 4]}, {"w": floats(4, 5), "b": floats(5)})
    assert [kind_of(n.target) for n in graph.nodes if n.op == "call_function"] == ["linear", "unary"]


def test_a_sum_that_others_read_without_the_bias_stays(tmp_path: Path) -> None:
    """The product is read twice, once through another name."""
    nodes = [node("MatMul", "x w", "a"), node("Identity", "a", "i"), node("Add", "i b", "c"), node("Sub", "c a")]
    loaded(tmp_path, nodes, {"x": ["N", 4]}, {"w": floats(4, 5), "b": floats(5)})


def test_products_of_two_values_and_left_constants(tmp_path: Path) -> None:
    """Matrix products without a layer in them."""
    nodes = [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "a"), node("MatMul", "m a")]
    loaded(tmp_path, nodes, {"x": ["N", 3, 4]}, {"m": floats(2, 3)})


def test_a_weight_that_is_used_twice_stays_one_parameter(tmp_path: Path) -> None:
    """An embedding and the layer that reads its transpose."""
    nodes = [node("Gather", "e x", "a"), node("Transpose", "e", "t", perm=[1, 0]), node("MatMul", "a t")]
    graph = loaded(tmp_path, nodes, {"x": ["N", 3]}, {"e": floats(8, 4)}, kind="int64")
    assert [n for n, _ in graph.module.named_parameters()] == ["e"]


def test_attention(tmp_path: Path) -> None:
    """Queries, keys and values of several heads, with a mask and fewer heads of keys."""
    nodes = [node("Attention", "q k v m", scale=0.3), node("Identity", "y", "z")]
    shapes = {"q": ["N", 4, 5, 3], "k": ["N", 2, 6, 3], "v": ["N", 2, 6, 3]}
    loaded(tmp_path, nodes, shapes, {"m": floats(5, 6)}, opset=23, outputs="z")


def test_batch_statistics_are_buffers(tmp_path: Path) -> None:
    """Scale and shift are trained, mean and variance are not."""
    held = {
        "n.weight": floats(4),
        "n.bias": floats(4),
        "n.running_mean": floats(4),
        "n.running_var": floats(4, low=0.5),
    }
    graph = loaded(tmp_path, [node("BatchNormalization", "x " + " ".join(held), epsilon=0.01)], IMAGE, held, opset=14)
    assert {n for n, _ in graph.module.named_parameters()} == {"n.weight", "n.bias"}
    assert {n for n, _ in graph.module.named_buffers()} == {"n.running_mean", "n.running_var"}


@pytest.mark.parametrize(
    ("op", "opset", "settings", "size"),
    [
        ("InstanceNormalization", 17, {}, (4,)),
        ("LayerNormalization", 17, {"axis": 2, "epsilon": 0.1}, (7, 6)),
        ("LayerNormalization", 17, {}, (6,)),
        ("GroupNormalization", 18, {"num_groups": 2}, (2,)),
        ("GroupNormalization", 21, {"num_groups": 2}, (4,)),
    ],
)
def test_normalisation(op: str, opset: int, settings: dict[str, Any], size: tuple[int, ...], tmp_path: Path) -> None:
    """Group normalisation has a scale per group before operator set 21, one per channel since."""
    loaded(tmp_path, [node(op, "x s b", **settings)], IMAGE, {"s": floats(*size), "b": floats(*size)}, opset=opset)


def test_root_mean_square_normalisation(tmp_path: Path) -> None:
    """RMSNormalization came with operator set 23."""
    loaded(tmp_path, [node("RMSNormalization", "x s")], {"x": ["N", 6]}, {"s": floats(6)}, opset=23)


@pytest.mark.parametrize("settings", [*WINDOWS, {"ceil_mode": 1, "strides": [2, 2]}, {"pads": [2, 1, 2, 1]}])
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_pooling(op: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Uneven and wide padding; averages with the padding counted and not."""
    if op == "LpPool":
        settings = {k: v for k, v in settings.items() if k != "ceil_mode"}
    loaded(tmp_path, [node(op, "x", kernel_shape=[3, 2], **settings)], IMAGE, opset=11)
    if op == "AveragePool":
        loaded(tmp_path, [node(op, "x", kernel_shape=[3, 2], count_include_pad=1, **settings)], IMAGE, opset=11)


@pytest.mark.parametrize("size", [(14, 12), (5, 9), (3, 2)])
@pytest.mark.parametrize(
    ("mode", "place"),
    [
        (m, p)
        for m in ("nearest", "linear")
        for p in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
    ],
)
def test_resizing_to_a_size(mode: str, place: str, size: tuple[int, int], tmp_path: Path) -> None:
    """Up and down, by whole factors and others."""
    settings = {"mode": mode, "coordinate_transformation_mode": place}
    nodes = [
        node("Shape", "x", "n"),
        node("Slice", "n zero two zero", "front"),
        node("Concat", "front size", "sizes", axis=0),
        node("Resize", "x _ _ sizes", **settings),
    ]
    loaded(tmp_path, nodes, IMAGE, {"size": ints(*size), "zero": ints(0), "two": ints(2)}, opset=13)


@pytest.mark.parametrize("kind", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize("opset", [11, 18])
def test_resizing_by_scales(kind: str, opset: int, tmp_path: Path) -> None:
    """All ways to round to the nearest number."""
    made = node("Resize", "x roi s", mode="nearest", nearest_mode=kind)
    loaded(tmp_path, [made], IMAGE, {"s": np.array([1, 1, 2, 1.5], np.float32), "roi": floats(0)}, opset=opset)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("op", GATES)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
def test_recurrent_layers(op: str, direction: str, tmp_path: Path) -> None:
    """Gates in torch's order, in every direction; the sequence and the last state."""
    count, gates = 2 if direction == "bidirectional" else 1, GATES[op]
    held = {"w": floats(count, gates * 3, 4), "r": floats(count, gates * 3, 3), "b": floats(count, gates * 6)}
    settings = {"linear_before_reset": 1} if op == "GRU" else {}
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(op, "t w r b", "s h", hidden_size=3, direction=direction, **settings),
        node("Transpose", "s", "y", perm=[2, 0, 1, 3]),
        node("Transpose", "h", "z", perm=[1, 0, 2]),
    ]
    graph = loaded(tmp_path, nodes, {"x": ["N", 5, 4]}, held, outputs="y z")
    assert graph.parameter_count == sum(a.size for a in held.values())


def test_initial_states_may_be_given(tmp_path: Path) -> None:
    """One constant state for every sample, as a file of fixed batch has it."""
    held = {"w": floats(1, 12, 4), "r": floats(1, 12, 3), "h": floats(1, 1, 3), "c": floats(1, 1, 3, seed=1)}
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("LSTM", "t w r _ _ h c", "s", hidden_size=3)]
    loaded(tmp_path, [*nodes, node("Transpose", "s", perm=[2, 0, 1, 3])], {"x": [1, 5, 4]}, held)


def test_quantised_values_and_weights(tmp_path: Path) -> None:
    """Pairs become quantisers; codes of a weight become a trained weight behind one with the same scale."""
    codes = np.random.default_rng(0).integers(-127, 128, (5, 4)).astype(np.int8)
    nodes = [
        node("QuantizeLinear", "x s z", "q", name="q"),
        node("DequantizeLinear", "q s z", "d", name="d"),
        node("DequantizeLinear", "fc.weight ws wz", "w", axis=0, name="w"),
        node("Gemm", "d w", transB=1),
    ]
    held = {"s": np.float32(0.02).reshape(()), "z": np.uint8(128).reshape(()), "fc.weight": codes}
    held |= {"ws": floats(5, low=0.5) / 100, "wz": np.zeros(5, np.int8)}
    graph = loaded(tmp_path, nodes, {"x": ["N", 4]}, held)
    assert graph.quantised
    assert [use.weight for use in graph.weight_uses()] == ["fc.weight"]
    np.testing.assert_allclose(graph.tensor("fc.weight").detach().numpy(), codes * held["ws"][:, None], rtol=1e-6)


def test_gru_without_linear_reset_is_refused(tmp_path: Path) -> None:
    """Nothing in torch computes it; the message says what would."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("GRU", "t w r", "s", hidden_size=3)]
    with pytest.raises(BadFile, match=r"GRU_s.*linear_before_reset"):
        loaded(tmp_path, nodes, {"x": ["N", 5, 4]}, {"w": floats(1, 9, 4), "r": floats(1, 9, 3)}, outputs="s")
