"""`fitwright devices` and `fitwright profile`: listed, shown, added, filled, measured, removed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from db import measurements, profile_jobs
from service.cli import run
from service.settings import load_settings
from service.workspace import Workspace
from tests.service.helpers import ThreadExecutor, tiny_fwm, wait_for
from tests.service.test_client import serving, settings

__all__ = ["settings"]
ROOT = Path(__file__).parents[2]
BOARD = 'id = "my-board"\nkind = "measured"\nprofiler = "onnxruntime"\n'
NPU = 'id = "my-npu"\nkind = "imported"\n'
TABLE = "# device: x\n# runtime: r\n# version: 1\n# machine: kit\nsignature,latency_us\noverhead,5\nrelu,7\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def told(arguments: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command prints as JSON."""
    assert run([*arguments.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_looking_makes_no_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The catalogue is listed with its provenance, and a datasheet shown, before there is any database."""
    assert run(["devices"]) == 0
    assert "eyeriss-analytical" in capsys.readouterr().out
    assert {d["provenance"] for d in told("devices", capsys)} == {"catalogue"}
    assert run(["devices", "show", "eyeriss-analytical"]) == 0
    shown = capsys.readouterr().out
    assert "register files" in shown
    assert "Source: " in shown
    assert not home.exists()


def test_a_board_is_added_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its agents' key is printed once with what to run on the board; --device knows it from then on."""
    (tmp_path / "board.toml").write_text(BOARD)
    assert run(["devices", "add", "board.toml"]) == 0
    out = capsys.readouterr().out
    assert "fwa_" in out
    assert "fitwright agent" in out
    assert told("devices show my-board", capsys)["agents"]
    assert run(["search", "absent.fwm", "--data", "digits", "--limit", "size=0.5x", "--device", "my-board"]) == 2
    assert "absent.fwm: there is no such file" in capsys.readouterr().err
    assert told("devices remove my-board", capsys) == {"removed": "my-board"}
    assert run(["devices", "show", "my-board"]) == 2


def test_a_table_is_imported_and_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As CSV and as JSON; wrong lines are named and nothing is kept of the file."""
    (tmp_path / "npu.toml").write_text(NPU)
    (tmp_path / "table.csv").write_text(TABLE)
    (tmp_path / "wrong.csv").write_text(TABLE + "tanh,-1\n")
    assert run(["devices", "add", "npu.toml"]) == 0
    assert run(["devices", "import", "wrong.csv", "--device", "my-npu"]) == 2
    assert "line 8" in capsys.readouterr().err
    assert told("devices import table.csv --device my-npu", capsys)["rows"] == 2
    assert run(["devices", "table", "my-npu", "--csv"]) == 0
    (tmp_path / "again.csv").write_text(capsys.readouterr().out)
    assert told("devices import again.csv --device my-npu", capsys)["key"] == "my-npu | r 1 | kit | #2"
    rows = [row["latency_s"] for row in told("devices table my-npu", capsys)["rows"]]
    assert rows == pytest.approx([5e-6, 7e-6])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("devices show toaster", "there is no device 'toaster'"),
        ("devices show local-onnxruntime@batch=0", "whole number from 1"),
        ("devices add absent.toml", "no such file"),
        ("devices add bad.toml", "it is no TOML"),
        ("devices add empty.toml", "id: is None; it is text; macs_per_s: is missing"),
        ("devices import absent.csv --device my-npu", "no such file"),
        ("devices remove absent", "there is no device 'absent'"),
        ("devices table local-onnxruntime", "nothing was measured yet"),
        ("devices show local-onnxruntime --model absent.fwm", "no such file"),
        ("profile --device eyeriss-analytical", "nothing can be timed on it"),
        ("profile --device local-onnxruntim", "did you mean local-onnxruntime"),
        ("profile --networks 2", "3"),
    ],
)
def test_wrong_usage(line: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and a line that says what would be right."""
    (tmp_path / "bad.toml").write_text("id = ")
    (tmp_path / "empty.toml").write_text("")
    assert run(line.split()) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert words in said
    assert "Traceback" not in said


def test_a_profile_that_was_interrupted_goes_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C in mid-measurement, then the same command: one job, which ends; its device names what a model lacks."""
    command = [sys.executable, "-m", "service.cli", "profile", "--networks", "4"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: (home / "fitwright.db").is_file() and _rows(home) > 0)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, "the same command goes on" in said) == (130, True), said
    before = _rows(home)
    job = told("profile --networks 4", capsys)
    assert (job["result"]["task"], job["result"]["rows"] >= before) == ("profile", True)
    path = tiny_fwm(home.parent)
    shown = told(f"devices show local-onnxruntime --model {path}", capsys)
    assert shown["measured"][0]["calibration"]["networks"] == 4
    assert {entry["type"] for entry in shown["coverage"]["missing"]} <= {"Gemm", "com.microsoft.FusedGemm"}
    assert run(["devices", "show", "local-onnxruntime", "--model", str(path)]) == 0
    assert "The table lacks" in capsys.readouterr().out


def test_the_same_at_a_running_service(settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--server does all of it over REST."""
    (tmp_path / "npu.toml").write_text(NPU)
    (tmp_path / "table.csv").write_text(TABLE)
    workspace = Workspace(settings)
    with serving(settings, ThreadExecutor(workspace)) as address:
        assert told(f"devices add npu.toml --server {address}", capsys)["id"] == "my-npu"
        assert told(f"devices import table.csv --device my-npu --server {address}", capsys)["rows"] == 2
        assert "my-npu" in [d["id"] for d in told(f"devices --server {address}", capsys)]
        assert told(f"devices table my-npu --server {address}", capsys)["about"]["rows"] == 2
        assert run(["devices", "remove", "my-npu", "--server", address]) == 0
    workspace.close()


def _rows(home: Path) -> int:
    """How many rows the table of the only profile job has."""
    workspace = Workspace(load_settings(home=home))
    try:
        with workspace.database.read() as session:
            keys = [job.table_key for job in profile_jobs.page(session, 1)]
            return len(measurements.of_table(session, keys[0])) if keys else 0
    finally:
        workspace.close()
