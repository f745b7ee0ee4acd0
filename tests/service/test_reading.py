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
from service import reading
from service.reading import read_confined
from tests.service.helpers import tiny_fwm


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
    """No model has longer than the limit, whatever it does."""
    monkeypatch.setattr(reading, "READ_S", 0.01)
    with pytest.raises(GraphError, match=r"takes more than 0\.01 s"):
        read_confined(tiny_fwm(tmp_path), tmp_path / "out.fwm")
