"""ONNX files: data that lies elsewhere, sizes that overflow, graphs without an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile import good
from tests.hostile.case import Case, Traps
from tests.hostile.good import gemm, proto

HUGE = 1 << 40
HARMLESS = ("tensor-both-kinds", "tensor-twice", "odd-names", "nested-5")
"""What may as well be read: nothing comes of what is odd about it."""


def cases(traps: Traps) -> Iterator[Case]:
    """Every model is from `x` [batch, 4] to `y`."""
    models = {**dict(_elsewhere(traps)), **dict(_tensors()), **dict(_graphs(traps)), **dict(_sizes())}
    for what, model in models.items():
        yield Case(f"{what}.onnx", bytes(model.SerializeToString()), refused=what not in HARMLESS)
    yield from _bytes(traps)


def _elsewhere(traps: Traps) -> Iterator[tuple[str, onnx.ModelProto]]:
    places = ("/etc/passwd", "../secret.bin", "../../secret.bin", str(traps.secret), f"file://{traps.secret}")
    odd = ("..\\secret.bin", "%2e%2e/secret.bin", ";/etc/passwd", "/proc/self/environ", "secret\0.bin", "", ".")
    for i, place in enumerate(places + odd):
        yield f"external-{i}", proto([gemm()], [*good.weights()[1:], _external(place)])
    yield "external-offset", proto([gemm()], [*good.weights()[1:], _external(str(traps.secret), offset="-8")])
    yield "external-length", proto([gemm()], [*good.weights()[1:], _external(str(traps.secret), length=str(1 << 62))])
    constant = helper.make_node("Constant", [], ["w"], "constant", value=_external(str(traps.secret)))
    yield "external-attribute", proto([constant, gemm()], good.weights()[1:])
    inner = helper.make_graph(
        [helper.make_node("Identity", ["v"], ["t"])], "then", [], [_info("t")], [_external("../x", "v")]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    yield "external-subgraph", proto([node], [numpy_helper.from_array(np.array(True), "c")])
    sparse = proto([gemm()], good.weights()[1:])
    values = _external(str(traps.secret), "w")
    indices = numpy_helper.from_array(np.arange(12), "i")
    sparse.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 3]))
    yield "external-sparse", sparse


def _external(place: str, name: str = "w", **more: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": place, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def _info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _tensors() -> Iterator[tuple[str, onnx.ModelProto]]:
    w, b = good.weights()
    odd: dict[str, Any] = {
        "dims-overflow": {"dims": [1 << 62, 4], "raw_data": w.raw_data},
        "dims-product": {"dims": [1 << 32, 1 << 32], "raw_data": w.raw_data},
        "dims-negative": {"dims": [-4, -3], "raw_data": w.raw_data},
        "dims-nothing": {"dims": [0, 1 << 62], "raw_data": b""},
        "bytes-short": {"dims": [4, 3], "raw_data": w.raw_data[:5]},
        "bytes-long": {"dims": [4, 3], "raw_data": w.raw_data * 3},
        "bytes-none": {"dims": [HUGE]},
        "both-kinds": {"dims": [4, 3], "raw_data": w.raw_data, "float_data": [1.0]},
        "segment": {"dims": [4, 3], "raw_data": w.raw_data, "segment": TensorProto.Segment(begin=0, end=1 << 40)},
        "texts": {"dims": [12], "string_data": [b"x"] * 12, "data_type": TensorProto.STRING},
        "no-type": {"dims": [4, 3], "raw_data": w.raw_data, "data_type": 99},
        "complex": {"dims": [4, 3], "raw_data": w.raw_data * 2, "data_type": TensorProto.COMPLEX64},
        "axes": {"dims": [1] * 500 + [4, 3], "raw_data": w.raw_data},
    }
    for what, fields in odd.items():
        yield f"tensor-{what}", proto([gemm()], [b, TensorProto(**({"name": "w", "data_type": 1} | fields))])
    yield "tensor-twice", proto([gemm()], [w, b, w])
    yield "tensor-gone", proto([gemm()], [b])


def _graphs(traps: Traps) -> Iterator[tuple[str, onnx.ModelProto]]:
    relu = helper.make_node
    for i, (kind, domain) in enumerate(
        (
            ("PyOp", "com.microsoft.extensions"),
            ("Gemm", "evil"),
            ("ATen", "org.pytorch.aten"),
            ("os.system", ""),
            ("", ""),
        )
    ):
        yield f"operator-{i}", proto([relu(kind, ["x"], ["y"], domain=domain)], domains=[domain] if domain else [])
    yield "python", proto([relu("PythonOp", ["x"], ["y"], domain="mine", code=traps.code)], domains=["mine"])
    yield "cycle", proto([relu("Relu", ["b2"], ["a2"]), relu("Relu", ["a2"], ["b2"]), relu("Add", ["x", "b2"], ["y"])])
    yield "itself", proto([relu("Relu", ["y"], ["y"])])
    yield "nothing-made", proto([relu("Relu", ["x"], ["z"])])
    yield "made-twice", proto([relu("Relu", ["x"], ["y"]), relu("Relu", ["x"], ["y"])])
    yield "nowhere", proto([relu("Relu", ["nowhere"], ["y"])])
    yield "no-nodes", proto([])
    yield "odd-names", proto([relu("Relu", ["x"], ["y\n" + traps.code], traps.code), gemm()])
    yield "future", proto([gemm()], opset=999)
    yield "past", proto([gemm()], opset=1)
    yield "negative-opset", proto([gemm()], opset=-5)
    yield "many", proto([relu("Relu", ["x" if i == 0 else f"a{i - 1}"], [f"a{i}"]) for i in range(20_001)])
    for depth in (5, 15, 30):
        yield f"nested-{depth}", proto([_nested(depth)], [numpy_helper.from_array(np.array(True), "c")])
    body = helper.make_graph([relu("Identity", ["k"], ["k2"])], "body", [_info("i"), _info("k")], [_info("k2")])
    count = numpy_helper.from_array(np.array(1 << 62), "n")
    yield "endless-loop", proto([relu("Loop", ["n", "", "x"], ["y"], body=body)], [count])
    recursive = helper.make_function(
        "mine", "again", ["p"], ["q"], [relu("again", ["p"], ["q"], domain="mine")], [helper.make_opsetid("mine", 1)]
    )
    yield "recursive", proto([relu("again", ["x"], ["y"], domain="mine")], domains=["mine"], functions=[recursive])


def _nested(depth: int) -> onnx.NodeProto:
    node: onnx.NodeProto = helper.make_node("Identity", ["x"], ["y"])
    for i in range(depth):
        inner = helper.make_graph([node], f"g{i}", [], [_info("y")])
        node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner if i < 5 else _small())
    return node


def _small() -> onnx.GraphProto:
    return helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "small", [], [_info("y")])


def _sizes() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Operators that allocate, with sizes that nobody has; some would be folded while the file is read."""
    sizes: dict[str, tuple[str, list[int]]] = {
        "constant-of-shape": ("ConstantOfShape", [HUGE, 4]),
        "constant-overflow": ("ConstantOfShape", [HUGE, HUGE]),
        "constant-negative": ("ConstantOfShape", [-3, 4]),
    }
    for what, (kind, shape) in sizes.items():
        made = helper.make_node(kind, ["n"], ["z"])
        yield what, proto([made, helper.make_node("Add", ["x", "z"], ["y"])], [_ints("n", shape)])
    for kind in ("Expand", "Tile", "Reshape"):
        yield kind.lower(), proto([helper.make_node(kind, ["x", "n"], ["y"])], [_ints("n", [HUGE, HUGE])])
        folded = [helper.make_node(kind, ["k", "n"], ["z"]), helper.make_node("Add", ["x", "z"], ["y"])]
        yield f"{kind.lower()}-folded", proto(folded, [_ints("n", [HUGE]), _floats("k", [1.0])])
    scales = _floats("s", [1.0, 1.0, 1e9, 1e9])
    image = helper.make_node("Unsqueeze", ["x", "axes"], ["image"])
    resize = helper.make_node("Resize", ["image", "", "s"], ["y"])
    yield "resize", proto([image, resize], [_ints("axes", [1, 2]), scales])
    yield "pad", proto([helper.make_node("Pad", ["x", "n"], ["y"])], [_ints("n", [0, HUGE, 0, HUGE])])
    ends = [numpy_helper.from_array(np.array(v), n) for v, n in ((0, "from"), (HUGE, "to"), (1, "by"))]
    values = [helper.make_node("Range", ["from", "to", "by"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])]
    yield "range", proto(values, ends)
    yield (
        "one-hot",
        proto([helper.make_node("OneHot", ["x", "d", "v"], ["y"])], [_ints("d", [HUGE]), _floats("v", [0, 1])]),
    )
    yield "input-overflow", proto([helper.make_node("Relu", ["x"], ["y"])], shape=["batch", 1 << 62])
    yield "input-huge", proto([helper.make_node("Relu", ["x"], ["y"])], shape=["batch", HUGE])
    yield "input-negative", proto([helper.make_node("Relu", ["x"], ["y"])], shape=["batch", -4])
    doubling = [helper.make_node("Concat", [f"c{i}"] * 2, [f"c{i + 1}"], axis=0) for i in range(60)]
    yield (
        "doubling-folded",
        proto([*doubling, helper.make_node("Add", ["x", "c60"], ["y"])], [_floats("c0", [1.0] * 4)]),
    )


def _ints(name: str, values: list[int]) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.int64), name)


def _floats(name: str, values: list[float]) -> TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=np.float32), name)


def _bytes(traps: Traps) -> Iterator[Case]:
    """Protobuf that isn't: lengths beyond the end, groups without one, numbers without end."""
    wire = {
        "length": b"\x3a\xff\xff\xff\xff\x07",
        "length-64": b"\x3a" + b"\xff" * 9 + b"\x01",
        "number": b"\x08" + b"\xff" * 50,
        "groups": b"\x0b" * 10_000,
        "deep": _wrapped(2000),
        "fields": b"\x08\x08" * 50_000,
        "unknown": b"\xfa\xff\xff\xff\x0f\x04abcd" * 10,
    }
    for what, data in wire.items():
        yield Case(f"wire-{what}.onnx", data)
        yield Case(f"wire-after-{what}.onnx", good.onnx_file() + data, refused=False)
    yield Case("pickle-after.onnx", good.onnx_file() + traps.pickled(), refused=False)


def _wrapped(depth: int) -> bytes:
    """Graphs in attributes of nodes of graphs (fields 1, 5 and 6)."""
    data = b""
    for _ in range(depth):
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            data = tag + _varint(len(data)) + data
    return b"\x3a" + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    pieces = []
    while value > 127:
        pieces.append(value & 127 | 128)
        value >>= 7
    return bytes([*pieces, value])
