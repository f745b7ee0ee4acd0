"""The service under kill -9, Ray actors, batches, two searches at once: real steps on real data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from search.context import open_context
from search.run import run_search
from tests.acceptance.serving import FITWRIGHT, ROOT, Service, digits_model, service, told, wait_for

REQUEST: dict[str, Any] = {
    "dataset": "digits",
    "device": "cortex-m7-analytical",
    "limits": {"latency": "0.5x", "size": "0.3x"},
    "evaluations": 18,
    "recovery_epochs": 2,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained network as a file."""
    return digits_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def undisturbed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The trials of a search that nothing disturbed, run without service or database."""
    trials: list[dict[str, Any]] = []
    request = {"seed": 0, "strategy": "plan", "methods": None} | REQUEST
    context = open_context(request, model, "digits")
    run_search(context, tmp_path_factory.mktemp("alone") / "bundle", trials.append)
    return told(trials)


def test_killed_workers_change_nothing(model: Path, undisturbed: list[dict[str, Any]], tmp_path: Path) -> None:
    """kill -9 of every worker, twice, and of the service itself, once: the trials are those of a quiet run."""
    home = tmp_path / "home"
    with service(home) as running:
        search = running.client.submit(model=running.client.upload_model(model), **REQUEST)
        for count in (2, 7):
            wait_for(lambda count=count: len(_finished(running, search)) >= count)
            for pid in running.workers():
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(_finished(running, search)) >= 11)
        os.kill(running.process.pid, signal.SIGKILL)
    with service(home) as running:
        done = running.client.wait(search)
        assert done["outcome"] == "feasible"
        assert told(running.client.trials(search)) == undisturbed


def _finished(running: Service, search: str) -> list[dict[str, Any]]:
    return [t for t in running.client.trials(search) if t["state"] in ("done", "infeasible", "failed")]


def test_a_killed_command_goes_on(model: Path, undisturbed: list[dict[str, Any]], tmp_path: Path) -> None:
    """`fitwright search` killed in the middle, then run again: it takes up its search and ends as if undisturbed."""
    environment = os.environ | {"FITWRIGHT_HOME": str(tmp_path)}
    limits = [x for metric, text in REQUEST["limits"].items() for x in ("--limit", f"{metric}={text}")]
    command = [FITWRIGHT, "search", str(model), "--data", "digits", "--device", REQUEST["device"], *limits]
    command += ["--evaluations", str(REQUEST["evaluations"]), "--json"]
    first = subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("Trying recipes"):
            break
    time.sleep(4.0)
    os.kill(first.pid, signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    done = json.loads(subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True).stdout)
    assert done["outcome"] == "feasible"
    with service(tmp_path, workers="0") as running:
        (only,) = list(running.client.searches())
        assert told(running.client.trials(only["id"])) == undisturbed


def test_ray_actors_end_with_the_same_trials(model: Path, undisturbed: list[dict[str, Any]], tmp_path: Path) -> None:
    """The same search on two Ray actors: number by number the same."""
    with service(tmp_path / "home", executor="ray", workers="2") as running:
        search = running.client.submit(model=running.client.upload_model(model), **REQUEST)
        running.client.wait(search)
        assert told(running.client.trials(search)) == undisturbed


def test_a_batch_of_two_by_two(model: Path, tmp_path: Path) -> None:
    """Two models by two budgets: four searches, each with an outcome."""
    with service(tmp_path / "home") as running:
        client = running.client
        models = [client.upload_model(model), client.upload_model(digits_model(tmp_path, 12))]
        batch = client.batch(
            {
                "models": models,
                "datasets": ["digits"],
                "devices": [REQUEST["device"]],
                "budgets": [{"latency": "0.6x"}, {"latency": "0.4x"}],
                "evaluations": 6,
                "recovery_epochs": 1,
            }
        )
        done = wait_for(lambda: _over(client.get_batch(batch)))
        assert done["searches"] == 4
        assert done["outcomes"] == {"feasible": 4}


def _over(batch: dict[str, Any]) -> dict[str, Any] | None:
    return batch if batch["over"] == batch["searches"] else None


def test_two_searches_at_once(model: Path, tmp_path: Path) -> None:
    """Both end, with the same trials: neither disturbs the other."""
    with service(tmp_path / "home", workers="2") as running:
        client = running.client
        sent = client.upload_model(model)
        small = {**REQUEST, "evaluations": 8}
        searches = [client.submit(model=sent, **small, name=name) for name in ("one", "two")]
        assert [client.wait(s)["outcome"] for s in searches] == ["feasible", "feasible"]
        one, two = (told(client.trials(s)) for s in searches)
        assert one == two
