"""`fitwright capture`: the user's file runs here, and every way it can go wrong is one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from methods.graph import file
from service.cli import run
from service.cli_capture import example, parse_input

MODEL = """
from torch import nn
from neighbour import WIDTH

def make_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 3))

def broken():
    return nn.Linear("wide", 3)

number = 7
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A user's file that imports another one beside it."""
    (tmp_path / "neighbour.py").write_text("WIDTH = 5\n")
    path = tmp_path / "my_model.py"
    path.write_text(MODEL)
    return path


def test_capture_writes_a_file_that_needs_no_code(model: Path, capsys: pytest.CaptureFixture[str]):
    """The captured file loads on its own and has the model's parameters."""
    out = model.with_name("m.fwm")
    assert run(["capture", f"{model}:make_model", "--input", "1x3x4", "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"file": str(out), "file_bytes": out.stat().st_size, "parameters": 12 * 5 + 5 + 5 * 3 + 3}
    assert file.read(out).parameter_count == told["parameters"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("my_model.py:nothing", "has no nothing"),
        ("my_model.py:number", "gives int"),
        ("my_model.py:broken", "broken() in"),
        ("my_model.py", "FILE.py:NAME"),
        ("absent.py:make_model", "no such file"),
    ],
)
def test_what_is_wrong_with_the_model_is_named(
    model: Path, target: str, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Wrong usage: exit code 2 and one line that names the file, never a traceback."""
    monkeypatch.chdir(model.parent)
    assert run(["capture", target, "--input", "1x3x4", "-o", "m.fwm"]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "Traceback" not in told
    assert not Path("m.fwm").exists()


def test_an_error_in_the_users_file_comes_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The line in the user's file is what helps, not ours."""
    path = tmp_path / "bad.py"
    path.write_text("x = 1\ny = x / 0\n")
    assert run(["capture", f"{path}:y", "--input", "1x3", "-o", str(tmp_path / "m.fwm")]) == 2
    assert "line 2: ZeroDivisionError" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("text", ["3,32", "1x-3", "axb", "1x3:float8", "1x3:int64:0", ""])
def test_bad_shapes_are_refused(text: str, model: Path, capsys: pytest.CaptureFixture[str]):
    """Each says what was written and what would be right."""
    assert run(["capture", f"{model}:make_model", "--input", text, "-o", str(model.with_name("m.fwm"))]) == 2
    assert f"--input {text}" in " ".join(capsys.readouterr().err.split())


def test_integer_inputs_span_their_values():
    """The largest value occurs, so that an embedding is seen at its full size."""
    shape, dtype, values = parse_input("2x8:int64:30522", "float32")
    sample = example(shape, dtype, values)
    assert (tuple(sample.shape), str(sample.dtype), int(sample.max())) == ((2, 8), "torch.int64", 30521)
