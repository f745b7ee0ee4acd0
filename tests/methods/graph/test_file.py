"""Model files: exact round trips, and nothing but a clear refusal for what strangers may send."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from methods.graph import file
from methods.graph.intake.capture import capture
from methods.graph.ir import GraphError
from methods.graph.load import load_graph
from methods.graph.module import load
from tests.zoo.catalogue import EXAMPLES, network


@pytest.mark.parametrize("name", EXAMPLES)
def test_round_trip_is_exact(name: str, tmp_path: Path) -> None:
    """Weights, outputs and the bytes of a second writing are the same."""
    graph = capture(*network(name))
    file.write(graph, tmp_path / "m.fwm")
    again = file.read(tmp_path / "m.fwm")
    x = graph.example(3)
    assert torch.equal(graph(*x)[0], again(*x)[0])
    assert file.to_bytes(again) == (tmp_path / "m.fwm").read_bytes()


def test_loaded_model_trains_without_its_code(tmp_path: Path) -> None:
    """`load` gives a module with parameters under the user's names, switchable between modes."""
    file.write(capture(*network("dense")), tmp_path / "m.fwm")
    model = load(tmp_path / "m.fwm")
    assert "network.head.weight" in dict(model.named_parameters())
    model.train()
    model(torch.randn(2, 1, 8, 8)).sum().backward()
    assert model.network.head.weight.grad is not None


def _edited(change: dict[str, Any]) -> bytes:
    """A real file whose graph JSON was changed."""
    data = file.to_bytes(capture(*network("plain")))
    source = zipfile.ZipFile(io.BytesIO(data))
    document = json.loads(source.read("graph.json"))
    document.update(change)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("graph.json", json.dumps(document))
        archive.writestr("weights.bin", source.read("weights.bin"))
    return target.getvalue()


def _with_node(row: list[Any]) -> bytes:
    nodes = json.loads(zipfile.ZipFile(io.BytesIO(file.to_bytes(capture(*network("plain"))))).read("graph.json"))[
        "nodes"
    ]
    return _edited({"nodes": [*nodes[:-1], row, nodes[-1]]})


HOSTILE = {
    "empty": b"",
    "text": b"hello, I am a model",
    "pickle": pickle.dumps({"weights": [1, 2, 3]}),
    "zip of something else": _edited({"format": 99}),
    "operator not allowed": _with_node(["bad", "call_function", "os.system", ["'touch /tmp/canary"], {}]),
    "aten operator not allowed": _with_node(["bad", "call_function", "aten.from_file.default", ["'/etc/passwd"], {}]),
    "module call": _with_node(["bad", "call_module", "forward", [], {}]),
    "name that is code": _with_node(["x;import os", "call_function", "aten.relu.default", ["%conv2d"], {}]),
    "attribute that is code": _with_node(["bad", "get_attr", "__class__.__init__", [], {}]),
    "reads a later node": _with_node(["bad", "call_function", "aten.relu.default", ["%nowhere"], {}]),
    "twice the same name": _with_node(["conv2d", "call_function", "aten.relu.default", ["%conv2d"], {}]),
    "huge integer": _with_node(["bad", "call_function", "aten.zeros.default", [[10**30]], {}]),
    "deep nesting": _with_node(["bad", "call_function", "aten.zeros.default", [[[[[[[1]]]]]]], {}]),
    "no nodes": _edited({"nodes": []}),
    "nodes are not a list": _edited({"nodes": 7}),
    "impossible input": _edited({"inputs": [["x", [10**9, 10**9], "float32", 0]]}),
    "tensor with a bad name": _edited({"tensors": {"../../etc": 1}}),
    "tensor without bytes": _edited({"tensors": {f"w{i}": 1 for i in range(99)}}),
    "bytes without tensor": _edited({"tensors": {"w": 1}}),
    "unknown role": _edited({"tensors": {"w": [1, {"forward": "x"}]}}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_words(name: str, tmp_path: Path) -> None:
    """Each gives a GraphError that names the file; nothing is executed."""
    path = tmp_path / "upload.fwm"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(GraphError, match=r"upload\.fwm"):
        load_graph(path)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    """Cut at each 1/64th, a file is never half-read."""
    data = file.to_bytes(capture(*network("residual")))
    for part in range(64):
        with pytest.raises(GraphError):
            file.from_bytes(data[: len(data) * part // 64])


def test_bit_flips_are_refused_or_harmless() -> None:
    """A flipped byte gives a GraphError or a graph of the same form; never another exception."""
    data = file.to_bytes(capture(*network("plain")))
    outcomes = set()
    for position in range(0, len(data), max(1, len(data) // 150)):
        flipped = bytearray(data)
        flipped[position] ^= 0x5A
        try:
            file.from_bytes(bytes(flipped))
            outcomes.add("read")
        except GraphError:
            outcomes.add("refused")
    assert "refused" in outcomes


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".h5", ".fwm"])
def test_pickles_are_refused_under_any_name(suffix: str, tmp_path: Path) -> None:
    """The refusal says how to convert the model where it is trusted."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(GraphError, match="fitwright capture"):
        load_graph(path)


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fills up, the old file stays and nothing else is left."""
    path = tmp_path / "m.fwm"
    file.write(capture(*network("plain")), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("methods.graph.file.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write(capture(*network("dense")), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
