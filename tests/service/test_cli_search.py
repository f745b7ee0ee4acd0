"""`fitwright search` in this process and in processes that are killed, on the toy problem."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from db import searches
from service.cli import run
from service.settings import load_settings
from service.workspace import Workspace
from tests.service import toy_steps
from tests.service.helpers import tiny_fwm, trials_of, wait_for

ROOT = Path(__file__).parents[2]
COMMAND = (
    "import service.searches; from tests.service import toy_steps; service.searches.real_steps = lambda: toy_steps\n"
    "from service.cli import main; main()"
)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model file; searches are on the toy problem and kept in a folder of this test's own."""
    monkeypatch.setattr("service.searches.real_steps", lambda: toy_steps)
    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FITWRIGHT_POLL_S", "0.02")
    return tiny_fwm(tmp_path)


def asked(model: Path, *more: str, limit: str = "latency=0.6x") -> list[str]:
    """The command line of a search."""
    words = ["search", str(model), "--data", "digits", "--device", "cortex-m7-analytical", "--limit", limit]
    return [*words, "--evaluations", "8", *more]


def kept(tmp_path: Path) -> list[Any]:
    """All searches in the test's folder."""
    workspace = Workspace(load_settings(home=tmp_path / "home"))
    with workspace.database.read() as session:
        found = [(row.id, row.state, trials_of(workspace, row.id)) for row in searches.page(session, 10)]
    workspace.close()
    return found


def test_a_feasible_search_ends_with_the_table_and_the_bundle(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Exit code 0; the bundle is in the folder that was asked for, and nothing else beside it."""
    assert run(asked(model, "--out", str(tmp_path / "fitted"))) == 0
    told = capsys.readouterr()
    assert "Untouched against compressed" in told.out
    assert f"fitwright check {tmp_path / 'fitted'}" in told.out.replace("\n", "")
    assert {path.name for path in (tmp_path / "fitted").iterdir()} == {"model.fwm", "recipe.json"}
    assert not list(tmp_path.glob(".fitted-*"))


def test_json_is_one_document(model: Path, capsys: pytest.CaptureFixture[str]):
    """Standard output is JSON and nothing else; the same seed gives the same recipe."""
    found = []
    for seed in (1, 1):
        assert run(asked(model, "--seed", str(seed), "--json")) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["outcome"] == "feasible"
    assert found[0]["result"]["compressed"]["recipe"] == found[1]["result"]["compressed"]["recipe"]


def test_an_infeasible_search_says_what_could_be_reached(model: Path, capsys: pytest.CaptureFixture[str]):
    """Exit code 3, and the least achievable latency."""
    assert run(asked(model, limit="latency=0.001x")) == 3
    told = capsys.readouterr().out
    assert "Least achievable" in told
    assert "250 ms" in told


def test_a_failed_search_gives_its_reason(model: Path, capsys: pytest.CaptureFixture[str]):
    """Exit code 1 and the reason in one line."""
    assert run(asked(model, "--name", "bad data")) == 1
    told = capsys.readouterr().err
    assert "samples are [3] but the model takes [4]" in " ".join(told.split())
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--limit", "size=5 msec"], "isn't a unit of size"),
        (["--limit", "latency=0.7x"], "latency is limited twice"),
        (["--limit", "speed=1"], "speed can't be limited"),
        (["--limit", "energy=-1J"], "is negative"),
        (["--device", "cortex-m8"], "did you mean cortex-m7-analytical"),
        (["--strategy", "planned"], "did you mean plan?"),
        (["--methods", "prune"], "there is no method 'prune'"),
        (["--data", "absent.npz"], "there is no data set"),
        (["--evaluations", "0"], "evaluations"),
        (["--seed", "x"], "seed"),
        (["--out", "."], "isn't empty"),
        (["--out", "no/such/place"], "there is no folder"),
        (["--objective", "speed"], "accuracy"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_kept(
    model: Path, tmp_path: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    """Exit code 2, one line that names the thing and the remedy, and no search."""
    assert run(asked(model, *more)) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert "Traceback" not in told
    assert kept(tmp_path) == []


def started(model: Path, delay_s: float) -> subprocess.Popen[bytes]:
    """The same command in a process of its own, at leisure, which SIGINT interrupts even where it is ignored here."""
    environment = os.environ | {"TOY_DELAY_S": str(delay_s)}
    command = [sys.executable, "-c", f"import signal; signal.signal({signal.SIGINT.value}, signal.default_int_handler)"]
    command[-1] += f"\n{COMMAND}"
    return subprocess.Popen([*command, *asked(model)], env=environment, cwd=ROOT)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_the_same_command_goes_on_after_an_interruption(model: Path, tmp_path: Path, number: int, code: int):
    """Killed or interrupted in the middle: one search in all, which ends like an undisturbed one."""
    process = started(model, 0.5)
    wait_for(lambda: (tmp_path / "home").is_dir() and kept(tmp_path) and len(kept(tmp_path)[0][2]) > 3)
    process.send_signal(number)
    assert process.wait(timeout=60) == code
    assert kept(tmp_path)[0][1] == "searching"
    assert run(asked(model)) == 0
    assert run(asked(model)) == 0
    disturbed, undisturbed = kept(tmp_path)
    assert disturbed[1:] == undisturbed[1:]
