"""Every ONNX operator that is read, at the operator sets in which it differs: onnxruntime computes the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.methods.graph.onnx_made import floats, ints, loaded, node

IMAGE = {"x": ["N", 4, 6, 6]}
ROWS = {"x": ["N", 6]}

PLAIN = ["Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "HardSwish", "Exp", "Neg", "Abs", "Sign", "Floor"]
PLAIN += ["Ceil", "Round", "Sin", "Cos", "Atan", "Sinh", "Cosh", "Asinh", "Mish", "Identity", "Reciprocal"]

UNARY: dict[str, list[dict[str, Any]]] = {
    **{name: [{}] for name in PLAIN},
    "LeakyRelu": [{}, {"alpha": 0.3}],
    "Elu": [{}, {"alpha": 0.5}],
    "Selu": [{}, {"alpha": 1.5, "gamma": 1.1}],
    "Celu": [{"alpha": 0.7}],
    "HardSigmoid": [{}, {"alpha": 1 / 6}],
    "ThresholdedRelu": [{"alpha": 0.2}],
    "Shrink": [{"lambd": 0.3}, {"lambd": 0.3, "bias": 0.3}],
    "LpNormalization": [{"axis": 1}, {"p": 1}],
    "Softmax": [{}, {"axis": 1}],
    "LogSoftmax": [{}],
    "Flatten": [{}],
    "Dropout": [{}],
    "ArgMax": [{"axis": 1}, {"axis": -1, "keepdims": 0}],
    "ArgMin": [{"axis": 1}],
    "GlobalAveragePool": [{}],
    "GlobalMaxPool": [{}],
    "GlobalLpPool": [{}],
    "MeanVarianceNormalization": [{"axes": [2, 3]}],
}


@pytest.mark.parametrize(("op", "settings"), [(op, s) for op, many in UNARY.items() for s in many])
def test_operators_of_one_input(op: str, settings: dict[str, Any], tmp_path: Path) -> None:
    """Activations, softmax, global pooling."""
    loaded(tmp_path, [node(op, "x", **settings)], IMAGE, opset=18)


@pytest.mark.parametrize("kind", ["none", "tanh"])
def test_gelu_and_square_root(kind: str, tmp_path: Path) -> None:
    """Gelu came with operator set 20; roots and logarithms are of positive numbers."""
    nodes = [node("Gelu", "x", "a", approximate=kind), node("Exp", "a", "b"), node("Sqrt", "b", "c"), node("Log", "c")]
    loaded(tmp_path, nodes, IMAGE, opset=20)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_softmax_flattens_before_operator_set_13(opset: int, axis: int, tmp_path: Path) -> None:
    """Older files normalise over all axes from the given one on."""
    loaded(tmp_path, [node("Softmax", "x", axis=axis)], {"x": ["N", 3, 4]}, opset=opset)


BINARY = {
    **{op: (floats(6, 6, low=0.5), floats(1), floats(4, 1, 1)) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min")},
    **{op: (floats(6, 6), np.float32(0.1).reshape(())) for op in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual")},
    "Pow": (np.full((), 2.0, np.float32), np.array([1.0, 2.0, 3.0, 2.0, 1.0, 0.0], np.float32)),
    "Equal": (np.zeros((6, 6), np.float32),),
    "Mod": (floats(6, low=0.5),),
    "PRelu": (floats(4, 1, 1), floats(1), floats(6)),
}


@pytest.mark.parametrize(("op", "other"), [(op, o) for op, many in BINARY.items() for o in many])
@pytest.mark.parametrize("left", [False, True])
def test_operators_of_two_inputs(op: str, other: Any, left: bool, tmp_path: Path) -> None:
    """Numbers, vectors and whole planes on either side."""
    if left and op in ("Mod", "PRelu"):
        other, op = floats(6, 6), "Sub"
    settings = {"fmod": 1} if op == "Mod" else {}
    steps = [node("Exp", "x", "a"), node(op, "c a" if left else "x c", "b", **settings)]
    loaded(tmp_path, [*steps, node("Cast", "b", to=1)], IMAGE, {"c": other}, opset=16)


def test_any_number_of_inputs(tmp_path: Path) -> None:
    """Sum, Mean, Max and Min of three, one of them known."""
    nodes = [node(op, "x z c", f"y{i}") for i, op in enumerate(("Sum", "Mean", "Max", "Min"))]
    loaded(tmp_path, nodes, {"x": ["N", 6], "z": ["N", 6]}, {"c": floats(6)}, outputs="y0 y1 y2 y3")


def test_logic_and_choice(tmp_path: Path) -> None:
    """And, Or, Xor, Not and Where with values and numbers on both sides."""
    nodes = [
        node("Greater", "x zero", "a"),
        node("Less", "x half", "b"),
        *(node(op, "a b", op) for op in ("And", "Or", "Xor")),
        node("Not", "Xor", "n"),
        node("Where", "And x zero", "w0"),
        node("Where", "Or half w0", "w1"),
        node("Where", "n x w1", "w2"),
        node("Where", "a zero half", "w3"),
        node("Add", "w2 w3"),
    ]
    held = {"zero": np.zeros((), np.float32), "half": np.full((), 0.5, np.float32)}
    loaded(tmp_path, nodes, ROWS, held)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("op", ["Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp"])
def test_reductions(op: str, opset: int, tmp_path: Path) -> None:
    """Axes as an attribute or an input, kept or not."""
    as_input = opset >= 18 or (op == "Sum" and opset >= 13)
    held = {"axes": ints(1, -1)} if as_input else {}
    first = node("Abs", "x", "a")
    made = node(f"Reduce{op}", "a axes" if as_input else "a", keepdims=0, **({} if as_input else {"axes": [1, -1]}))
    loaded(tmp_path, [first, made], IMAGE, held, opset=opset)


def test_moves(tmp_path: Path) -> None:
    """Transpose, Concat, Split, Slice, Gather, Tile, Pad, Unsqueeze, Squeeze in one line."""
    nodes = [
        node("Transpose", "x", "a", perm=[0, 2, 3, 1]),
        node("Split", "a two", "b c", axis=2),
        node("Concat", "b c", "d", axis=3),
        node("Slice", "d start end axes steps", "e"),
        node("Gather", "e picks", "f", axis=3),
        node("Unsqueeze", "f one", "g"),
        node("Squeeze", "g one", "h"),
        node("Tile", "h times", "i"),
        node("Pad", "i widths value"),
    ]
    held = {"two": ints(3, 3), "start": ints(-1, 1), "end": ints(-100, 100), "axes": ints(1, 3), "steps": ints(-2, 2)}
    held |= {"picks": ints(2, 0, -1), "one": ints(1), "times": ints(1, 2, 1, 1), "widths": ints(0, 1, 0, 2, 0, 0, 1, 1)}
    loaded(tmp_path, nodes, IMAGE, held | {"value": np.full((), 0.5, np.float32)})


@pytest.mark.parametrize("opset", [11, 13])
def test_older_spellings_of_moves(opset: int, tmp_path: Path) -> None:
    """Axes and sizes were attributes before operator set 13."""
    old = opset < 13
    nodes = [
        node("Unsqueeze", "x" if old else "x ax", "a", **({"axes": [2]} if old else {})),
        node("Split", "a" if old else "a parts", "b c", axis=1, **({"split": [1, 3]} if old else {})),
        node("Squeeze", "c" if old else "c ax", **({"axes": [2]} if old else {})),
    ]
    loaded(tmp_path, nodes, IMAGE, {} if old else {"ax": ints(2), "parts": ints(1, 3)}, opset=opset)


@pytest.mark.parametrize("mode", ["reflect", "edge", "constant"])
def test_padding_modes(mode: str, tmp_path: Path) -> None:
    """In front and behind, unevenly, of the last axes."""
    loaded(tmp_path, [node("Pad", "x w", mode=mode)], IMAGE, {"w": ints(0, 0, 1, 2, 0, 0, 0, 3)})


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth"])
def test_blocks_and_depth(op: str, tmp_path: Path) -> None:
    """Both orders of DepthToSpace."""
    loaded(tmp_path, [node(op, "x", blocksize=2)], IMAGE)
    if op == "DepthToSpace":
        loaded(tmp_path, [node(op, "x", blocksize=2, mode="CRD")], IMAGE)


@pytest.mark.parametrize("op", ["CumSum", "Trilu"])
def test_running_sums_and_triangles(op: str, tmp_path: Path) -> None:
    """Forwards and backwards, upper and lower."""
    for first in (0, 1):
        settings = {"exclusive": first, "reverse": first} if op == "CumSum" else {"upper": first}
        loaded(tmp_path, [node(op, "x k", **settings)], {"x": ["N", 4, 4]}, {"k": np.array(1)})


def test_gathers(tmp_path: Path) -> None:
    """GatherElements, GatherND and a Gather with a table of indices."""
    nodes = [
        node("GatherElements", "x e", "a", axis=1),
        node("Gather", "a g", "b", axis=1),
        node("Transpose", "b", "c", perm=[1, 0, 2]),
        node("GatherND", "c k", "d"),
        node("Transpose", "d", perm=[1, 0, 2]),
    ]
    held = {"e": np.array([[0, 5, 2, 2]]), "g": np.array([[0, 1], [3, 2], [1, 1]]), "k": np.array([[2], [0]])}
    loaded(tmp_path, nodes, {"x": [1, 6]}, held)


def test_an_embedding_says_how_many_values_its_input_takes(tmp_path: Path) -> None:
    """The table is a parameter, and sampled inputs stay inside it."""
    graph = loaded(tmp_path, [node("Gather", "t x")], {"x": ["N", 5]}, {"t": floats(9, 4)}, kind="int64")
    assert graph.inputs[0].values == 9
    assert [n for n, _ in graph.module.named_parameters()] == ["t"]


def test_one_hot(tmp_path: Path) -> None:
    """Written as a comparison with every class."""
    held = {"d": np.array(7), "v": np.array([0.0, 2.0], np.float32)}
    graph = loaded(tmp_path, [node("OneHot", "x d v")], {"x": ["N", 3]}, held, kind="int64")
    assert graph.inputs[0].values == 7


def test_einsum(tmp_path: Path) -> None:
    """With a constant operand, which is trained."""
    graph = loaded(
        tmp_path, [node("Einsum", "x w", equation="bij, jk -> bik")], {"x": ["N", 3, 4]}, {"w": floats(4, 5)}
    )
    assert isinstance(graph.tensor("w"), torch.nn.Parameter)
