"""The command line: help, catalogues, bundles that aren't, and commands that speak to a service."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from methods.catalogue import METHODS
from methods.published.catalogue import PUBLISHED
from service.cli import CATALOGUES, DOING, run
from service.workspace import Workspace
from tests.service.helpers import ThreadExecutor, tiny_fwm
from tests.service.test_client import serving, settings

__all__ = ["settings"]
ROOT = Path(__file__).parents[2]
COMMANDS = [c.__name__ for c in (*DOING, *CATALOGUES)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example(command: str, capsys: pytest.CaptureFixture[str]):
    """Every command's help shows at least one whole command line."""
    assert run([command, "--help"]) == 0
    assert re.search(rf"Examples?:\s.*fitwright {command}", " ".join(capsys.readouterr().out.split()))


def test_help_and_refusals_load_nothing_heavy():
    """Neither torch nor the web framework is imported before it is needed."""
    code = (
        "import sys; from service.cli import run; run(['--help'])\n"
        "assert run(['search', 'm.fwm', '--data', 'digits', '--limit', 'latency=fast']) == 2\n"
        "print(sorted({'torch', 'fastapi', 'sqlalchemy', 'onnxruntime'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", ""),
        ("serach", "No such command 'serach'"),
        ("search", "Missing argument 'model'"),
        ("inspect absent.fwm", "no such file"),
        ("apply absent.fwm twn --data digits", "no such file"),
        ("apply absent.fwm absent.json --data digits", "absent.json: there is no such file"),
        ("apply absent.fwm README.md --data digits", "README.md: it is not JSON"),
        ("apply absent.fwm twn --data digits --limit size=small", "size"),
        ("check absent", "there is no such folder"),
        ("check .", "is no bundle"),
        ("replay .", "is no bundle"),
        ("schedule remove", "Missing argument"),
        ("serve --host 0.0.0.0", "can be reached from other machines"),
    ],
)
def test_wrong_usage(line: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Exit code 2 and one line that says what would be right."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("# No recipe")
    assert run(line.split()) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert words in told
    assert "Traceback" not in told


def test_catalogues_as_json(capsys: pytest.CaptureFixture[str]):
    """Names and what they mean, for programs."""
    found = {}
    for command in ("devices", "methods", "importances", "recoveries", "strategies"):
        assert run([command, "--json"]) == 0
        found[command] = json.loads(capsys.readouterr().out)
    assert "cortex-m7-analytical" in [device["id"] for device in found["devices"]]
    assert [m["name"] for m in found["methods"] if m["kind"] == "method"] == list(METHODS)
    assert {m["seed"] for m in found["methods"] if m["kind"] == "published"} == set(PUBLISHED)
    assert {r["kind"] for r in found["recoveries"]} == {"recovery", "schedule"}
    assert "plan" in [strategy["name"] for strategy in found["strategies"]]
    assert all(entry["summary"] for name in found if name != "devices" for entry in found[name])


def test_inspect_says_what_can_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Channels that go together, what is frozen and why, operators with their cost on a device."""
    path = tiny_fwm(tmp_path)
    assert run(["inspect", str(path), "--device", "cortex-m7-analytical", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"] == 67
    assert run(["inspect", str(path)]) == 0
    told = capsys.readouterr().out
    for group in found["groups"]:
        assert group["site"] in told
    for frozen in found["frozen"]:
        assert frozen["reason"].split()[0] in told


def test_serve_runs_until_it_is_interrupted(tmp_path: Path):
    """A free port is found and told; Ctrl-C is the normal end."""
    command = [sys.executable, "-c", "from service.cli import main; main()", "serve", "--port", "0", "--workers", "0"]
    environment = os.environ | {"FITWRIGHT_HOME": str(tmp_path), "COLUMNS": "500"}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    address = re.search(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
    assert address is not None
    transport = httpx.HTTPTransport(retries=8)
    with httpx.Client(transport=transport, timeout=60) as http:
        assert http.get(f"{address[0]}/healthz").json()["status"] == "ok"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]):
    """It is said at once, with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", "--port", port]) == 2
    assert f"--port {port}" in capsys.readouterr().err


def test_batch_and_schedule_speak_to_a_service(settings, workspace: Workspace, tmp_path: Path, capsys):
    """A batch is run and shown; a schedule is added, listed and removed."""
    model, device = str(tiny_fwm(tmp_path)), "cortex-m7-analytical"
    what = ["--model", model, "--data", "digits", "--device", device, "--evaluations", "4"]
    with serving(settings, ThreadExecutor(workspace)) as address:
        at = ["--server", address]
        assert run(["batch", *what, "--budget", "latency=0.6x", "--budget", "latency=0.01x", "--json", *at]) == 0
        results = json.loads(capsys.readouterr().out)["results"]
        assert [entry["search"]["outcome"] for entry in results] == ["feasible", "infeasible"]
        assert run(["schedule", "add", "--cron", "0 2 * * *", *what, "--budget", "latency=0.6x", "--json", *at]) == 0
        made = json.loads(capsys.readouterr().out)["id"]
        assert run(["schedule", "list", *at]) == 0
        assert made in capsys.readouterr().out
        assert run(["schedule", "add", "--cron", "61 2 * * *", *what, "--budget", "latency=0.6x", *at]) == 2
        assert "61 2 * * *" in " ".join(capsys.readouterr().err.split())
        assert run(["schedule", "remove", made, *at]) == 0
        assert run(["schedule", "remove", made, *at]) == 1
