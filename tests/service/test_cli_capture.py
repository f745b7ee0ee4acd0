"""`fitwright capture`: the user's file runs here, and every way it can go wrong is one clear line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from methods.graph import file
from service.cli import run
from service.cli_capture import parse_input, sample

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


@pytest.mark.parametrize(("text", "classes"), [("0,2", [0, 2]), ("1-2", [1, 2]), ("2,0-1", [0, 1, 2])])
def test_classes_can_be_kept(model: Path, text: str, classes: list[int]) -> None:
    """The file gives just those entries of the output."""
    whole, few = model.with_name("m.fwm"), model.with_name("few.fwm")
    command = ["capture", f"{model}:make_model", "--input", "1x3x4", "-o"]
    assert run([*command, str(whole)]) == 0
    assert run([*command, str(few), "--classes", text]) == 0
    assert file.read(few)(*file.read(whole).example(2))[0].shape == (2, len(classes))


@pytest.mark.parametrize("text", ["3", "a", "2-1", "-1", "99999999999"])
def test_classes_that_are_not_there_are_refused(model: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, nothing written."""
    out = model.with_name("m.fwm")
    assert run(["capture", f"{model}:make_model", "--input", "1x3x4", "-o", str(out), f"--classes={text}"]) == 2
    assert not out.exists()
    assert "Traceback" not in capsys.readouterr().err


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
    spec = parse_input("ids=2x8:int64:30522", "float32")
    made = sample(spec)
    assert (spec.name, tuple(made.shape), str(made.dtype), int(made.max())) == ("ids", (2, 8), "torch.int64", 30521)


NESTED = """
import torch
from torch import nn

class Scored(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.head = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids, weights=None, *, mask, shared=None):
        x = self.tokens(ids) * mask.unsqueeze(-1)
        x = x if shared is None else shared @ x
        return {"scores": self.head(x).mean(1), "states": x}

def example():
    return {"ids": torch.zeros(1, 5, dtype=torch.long), "mask": torch.ones(1, 5), "shared": torch.rand(5, 5)}

def wrong():
    return torch.zeros(1, 5).nothing
"""


def test_keyword_inputs_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """NAME=SHAPE goes to that argument; the file is told with its inputs and outputs."""
    (tmp_path / "m.py").write_text(NESTED)
    out = tmp_path / "m.fwm"
    inputs = ["--input", "mask=1x5", "--input", "1x5:int64:9"]
    assert run(["capture", f"{tmp_path}/m.py:Scored", *inputs, "-o", str(out)]) == 0
    assert "Takes ids Nx5 int64, mask Nx5 float32; gives scores, states." in " ".join(capsys.readouterr().out.split())
    assert [s.values for s in file.read(out).inputs] == [9, 0]


def test_an_example_may_come_from_the_users_file(tmp_path: Path):
    """A function that returns the arguments, one of them the same for every sample, and one output chosen."""
    (tmp_path / "m.py").write_text(NESTED)
    out, target = tmp_path / "m.fwm", f"{tmp_path}/m.py:example"
    options = ["--example", target, "--fixed", "shared", "--keep", "scores", "-o", str(out)]
    assert run(["capture", f"{tmp_path}/m.py:Scored", *options]) == 0
    graph = file.read(out)
    assert ([s.name for s in graph.inputs], graph.output_names) == (["ids", "mask"], ("scores",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give either --input"),
        (["--input", "1x5", "--example", "m.py:example"], "give either --input"),
        (["--input", "mask=1x5", "--input", "mask=1x5"], "mask=...: that input is given twice"),
        (["--input", "a-b=1x5"], "'a-b' is not the name of an argument"),
        (["--example", "m.py:wrong"], "wrong() in m.py failed: line 19"),
        (["--input", "1x5:int64"], "mask"),
    ],
    ids=["none", "both", "twice", "name", "example", "missing"],
)
def test_what_is_wrong_with_the_inputs_is_named(
    options: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
):
    """Exit code 2 and what would be right."""
    (tmp_path / "m.py").write_text(NESTED)
    monkeypatch.chdir(tmp_path)
    assert run(["capture", "m.py:Scored", *options, "-o", "m.fwm"]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
