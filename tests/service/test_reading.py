"""Models that anybody may have sent are read in a process with limits."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save

from methods.graph import file
from methods.graph.ir import GraphError
from search.data import DataError
from service import child, reading
from service.reading import read_confined, read_data_confined
from tests.service.helpers import tiny_fwm, tiny_npz


def changed(source: Path, target: Path, change: dict[str, Any]) -> Path:
    """A `.fwm` with parts of its graph replaced."""
    with zipfile.ZipFile(source) as archive:
        document, weights = json.loads(archive.read(file.GRAPH)), archive.read(file.WEIGHTS)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(file.GRAPH, json.dumps(document | change))
        archive.writestr(file.WEIGHTS, weights or save({}))
    target.write_bytes(buffer.getvalue())
    return target


def test_a_sound_model_is_read_and_written_anew(tmp_path: Path) -> None:
    """The child's file is the same model, again and again, and its facts come back."""
    source, target = tiny_fwm(tmp_path), tmp_path / "out.fwm"
    facts = read_confined(source, target)
    assert facts == {"inputs": [{"name": "input_1", "shape": [4], "dtype": "float32"}], "parameters": 67}
    again = tmp_path / "again.fwm"
    assert read_confined(target, again) == facts
    assert again.read_bytes() == target.read_bytes()


def test_a_broken_one_is_told_in_words(tmp_path: Path) -> None:
    """What is wrong comes back as the reader said it."""
    broken = tmp_path / "broken.fwm"
    broken.write_bytes(tiny_fwm(tmp_path).read_bytes()[:300])
    with pytest.raises(GraphError, match=r"broken\.fwm"):
        read_confined(broken, tmp_path / "out.fwm")


def test_one_that_asks_for_too_much_is_ended(tmp_path: Path) -> None:
    """An input of four gigabytes: the child fails, this process doesn't, and nothing is written."""
    greedy = changed(tiny_fwm(tmp_path), tmp_path / "greedy.fwm", {"inputs": [["input_1", [1 << 28, 4], "float32", 0]]})
    with pytest.raises(GraphError, match=r"greedy\.fwm"):
        read_confined(greedy, tmp_path / "out.fwm")
    assert not (tmp_path / "out.fwm").exists()


def test_one_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model has longer than the limit, whatever it does; nothing of it is left."""
    monkeypatch.setattr(reading, "READ_S", 0.01)
    with pytest.raises(GraphError, match=r"tiny\.fwm takes more than 0\.01 s"):
        read_confined(tiny_fwm(tmp_path), tmp_path / "out.fwm")
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.fwm"]


def test_one_that_takes_too_much_memory_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no more memory than Python itself takes, the answer is still a reason, and nothing is left."""
    monkeypatch.setattr(reading, "MEMORY_BYTES", 8 << 20)
    with pytest.raises(GraphError, match=r"tiny\.fwm can't be read within"):
        read_confined(tiny_fwm(tmp_path), tmp_path / "out.fwm")
    assert [p.name for p in tmp_path.iterdir()] == ["tiny.fwm"]


def test_a_result_that_is_a_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that put a link where its model should be gives nothing away."""

    def taken_over(_module: str, _arguments: list[str], scratch: Path, _wall_s: float) -> child.Ended:
        (scratch / "model.fwm").symlink_to("/etc/passwd")
        (scratch / "reply.json").write_text('{"facts": {}}')
        return child.Ended(0, "", False)

    monkeypatch.setattr(child, "run", taken_over)
    with pytest.raises(GraphError, match="can't be read"):
        read_confined(tiny_fwm(tmp_path), tmp_path / "out.fwm")
    assert not (tmp_path / "out.fwm").exists()


def test_data_is_read_the_same_way(tmp_path: Path) -> None:
    """Its facts come back, or the reason in the reader's words."""
    assert read_data_confined(tiny_npz(tmp_path))["samples"] == 90
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(DataError, match=r"broken\.npz"):
        read_data_confined(broken)
