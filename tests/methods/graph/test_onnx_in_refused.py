"""ONNX files that are refused: damaged, hostile, or holding what a Graph can't. Every refusal names the place."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from methods.graph.load import load_graph
from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in import parse
from tests.methods.graph.onnx_made import floats, ints, model, node, saved

X = {"x": ["N", 4]}


def refused(folder: Path, made: Any, reason: str) -> None:
    """Asserts that a model is refused with this reason, on one line."""
    with pytest.raises(BadFile, match=reason) as caught:
        load_graph(saved(folder, made))
    assert str(caught.value).startswith("made.onnx: ")
    assert "\n" not in str(caught.value)


def small() -> Any:
    """A model that is fine until something is done to it."""
    return model([node("MatMul", "x w", "a"), node("Relu", "a")], X, {"w": floats(4, 3)})


OPERATORS: list[tuple[str, dict[str, Any], str]] = [
    ("MatMulInteger", {}, r"MatMulInteger_y.*QDQ"),
    ("DynamicQuantizeLinear", {}, r"QDQ"),
    ("NonZero", {}, r"NonZero.*depends on values"),
    ("RandomNormalLike", {}, r"evaluation mode"),
    ("Convolution", {}, r"'Convolution_y' \(Convolution\).*nearest operator that is: Conv"),
    ("Gelu", {"domain": "ai.onnx.ml"}, r"ai\.onnx\.ml.*plain ONNX operators"),
    ("FusedConv", {"domain": "com.microsoft"}, r"com\.microsoft.*plain ONNX operators"),
    ("BatchNormalization", {"training_mode": 1}, r"model\.eval"),
    ("Resize", {"mode": "cubic"}, r"linear or nearest|scales"),
    ("MaxPool", {"kernel_shape": [2]}, r"MaxPool_y"),
]


@pytest.mark.parametrize(("op", "settings", "reason"), OPERATORS)
def test_operators_that_are_not_read(op: str, settings: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """The node, its operator and the nearest alternative are named."""
    refused(tmp_path, model([node(op, "x w w w w", **settings)], X, {"w": floats(4)}), reason)


def test_control_flow_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """A branch that depends on a value."""
    side = helper.make_graph([node("Relu", "x", "z")], "side", [], [helper.make_empty_tensor_value_info("z")])
    nodes = [node("ReduceMax", "x", "m", keepdims=0), node("Cast", "m", "c", to=TensorProto.BOOL)]
    refused(tmp_path, model([*nodes, node("If", "c", then_branch=side, else_branch=side)], X), r"If_y.*torch\.where")


def test_free_axes_beyond_the_batch_are_refused(tmp_path: Path) -> None:
    """The message is the command that fixes the axis."""
    reason = r"axis 2 of input 'x' \(width\).*make_dynamic_shape_fixed --dim_param width"
    refused(tmp_path, model([node("Relu", "x")], {"x": ["N", 3, "width"]}), reason)


def test_batches_in_another_place_are_refused(tmp_path: Path) -> None:
    """An output whose first axis is not the batch, and inputs that disagree about it."""
    refused(tmp_path, model([node("Transpose", "x", perm=[1, 0])], X), r"output 'y' has the shape \[4, batch\]")
    refused(tmp_path, model([node("Add", "x z")], {"x": [1, 4], "z": [3, 4]}), "different first axes")
    refused(tmp_path, model([node("Gather", "x i")], X, {"i": ints(0)}), "picks samples out of the batch")


def test_reshapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """The sizes are in the message."""
    refused(tmp_path, model([node("Reshape", "x s")], X, {"s": ints(-1, 7)}), r"Reshape_y.*\[7\]|can't take the shape")


def test_data_in_other_files_is_never_opened(tmp_path: Path) -> None:
    """The tensor is named, wherever in the file it is."""
    made = small()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    refused(tmp_path, made, r"tensor 'w' keeps its data in another file, which is never opened")


def _huge(made: Any) -> None:
    made.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


def _negative(made: Any) -> None:
    made.graph.initializer[0].dims[:] = [-4, -3]


def _strings(made: Any) -> None:
    made.graph.initializer[0].data_type = TensorProto.STRING


def _old(made: Any) -> None:
    made.opset_import[0].version = 6


def _unknown_input(made: Any) -> None:
    made.graph.node[1].input[0] = "nothing"


def _circle(made: Any) -> None:
    made.graph.node[0].input[0] = "y"


def _twice(made: Any) -> None:
    made.graph.node[1].output[0] = "a"


def _wide(made: Any) -> None:
    made.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1 << 62


def _nested(made: Any) -> None:
    for _ in range(parse.MAX_DEPTH + 2):
        outer = helper.make_graph([helper.make_node("If", ["x"], ["y"], then_branch=made.graph)], "g", [], [])
        made.graph.CopyFrom(outer)


def _calling_itself(made: Any) -> None:
    body = [helper.make_node("f", ["a"], ["b"], domain="own"), helper.make_node("f", ["b"], ["c"], domain="own")]
    made.functions.append(helper.make_function("own", "f", ["a"], ["c"], body, [helper.make_opsetid("", 17)]))


def _doubling(made: Any) -> None:
    for i in range(40):
        body = [helper.make_node(f"f{i}", [a], [b], domain="own") for a, b in ("ab", "bc")]
        made.functions.append(helper.make_function("own", f"f{i + 1}", ["a"], ["c"], body, []))
    leaf = [helper.make_node("Relu", ["a"], ["c"])]
    made.functions.append(helper.make_function("own", "f0", ["a"], ["c"], leaf, []))
    made.graph.node.append(helper.make_node("f40", ["x"], ["z"], domain="own"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_huge, "needs .* bytes but holds"),
        (_negative, "impossible shape"),
        (_strings, "element type STRING"),
        (_old, "operator set 6"),
        (_unknown_input, "'nothing', made by nothing before it"),
        (_circle, "made by nothing before it"),
        (_twice, "two nodes make the value 'a'"),
        (_wide, "axis 1 of input|too large"),
        (_nested, "nested deeper"),
        (_calling_itself, "circle"),
        (_doubling, "grow to more than"),
    ],
)
def test_hostile_files(change: Callable[[Any], None], reason: str, tmp_path: Path) -> None:
    """Nothing is allocated, recursed into or opened on the file's word alone."""
    made = small()
    change(made)
    refused(tmp_path, made, reason)


@pytest.mark.parametrize(("op", "held"), [("ConstantOfShape", {"s": ints(1 << 20, 1 << 20)}), ("Tile", {})])
def test_constants_that_grow_are_refused_before_they_do(op: str, held: dict[str, Any], tmp_path: Path) -> None:
    """A few bytes that ask for terabytes."""
    if op == "Tile":
        held = {"c": floats(4), "t": ints(1 << 40)}
    nodes = [
        node(op, "s" if op == "ConstantOfShape" else "c t", "big"),
        node("ReduceSum", "big", "r"),
        node("Add", "x r"),
    ]
    refused(tmp_path, model(nodes, X, held), "grow to more than|too large|overflow")


def test_a_range_without_end_is_refused(tmp_path: Path) -> None:
    """A step of nearly zero."""
    held = {"a": np.float64(0).reshape(()), "b": np.float64(1).reshape(()), "c": np.float64(1e-30).reshape(())}
    refused(tmp_path, model([node("Range", "a b c", "r"), node("Add", "x r")], X, held), "100 million")


def test_damaged_bytes_are_refused_and_nothing_else_happens(tmp_path: Path) -> None:
    """Bytes changed at random and cut short: a Graph or a refusal, never another error."""
    data = small().SerializeToString()
    chance, path, outcomes = random.Random(0), tmp_path / "made.onnx", set()
    for _ in range(150):
        broken = bytearray(data[: chance.randrange(1, len(data) + 1)] if chance.random() < 0.3 else data)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        path.write_bytes(bytes(broken))
        try:
            load_graph(path)
            outcomes.add("read")
        except BadFile:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04zip", b"not a model at all", b"\x08\x07"])
def test_files_that_are_something_else(data: bytes, tmp_path: Path) -> None:
    """Whatever a file named .onnx holds."""
    path = tmp_path / "made.onnx"
    path.write_bytes(data)
    with pytest.raises(BadFile, match=r"made\.onnx"):
        load_graph(path)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    """Their sizes could not be held against their bytes."""
    values = numpy_helper.from_array(floats(1), "s")
    sparse = onnx.helper.make_sparse_tensor(values, numpy_helper.from_array(ints(0), "i"), [1 << 40])
    made = small()
    made.graph.sparse_initializer.append(sparse)
    refused(tmp_path, made, "'s' is sparse")
