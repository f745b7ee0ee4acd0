"""`fitwright apply` and the pages, for networks that give values or tags instead of one class."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.cli import run
from service.settings import load_settings
from tests.search.tasks import Task, regression, tagging
from tests.service.page_text import text_of


def deep_compression(task: Task, data: Path, out: Path) -> list[str]:
    """The command line that carries out the published recipe on a task's network."""
    words = ["apply", str(task.model), "deep-compression", "--data", str(data), "--device", "cortex-m7-analytical"]
    return [*words, "--recovery-epochs", "10", "--out", str(out)]


def test_deep_compression_of_a_regression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, the page and the list call the score a fit; check and replay hold."""
    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path / "home"))
    task, out = regression(tmp_path), tmp_path / "out"
    assert run(deep_compression(task, task.labelled, out)) == 0
    told = capsys.readouterr()
    assert "Fit to the labels" in told.out
    assert "best: fit to the labels" in told.err
    assert "ccuracy" not in told.out
    assert run(["check", str(out)]) == 0
    assert run(["replay", str(out), "--data", str(task.labelled)]) == 0
    assert run(["replay", str(out)]) == 1
    assert "give it with --data" in " ".join(capsys.readouterr().err.split())
    result = json.loads((out / "result.json").read_text())
    assert result["compressed"]["quality"]["fit"] > 0.4
    assert result["compressed"]["costs"]["file_bytes"]["value"] < 0.2 * task.model.stat().st_size
    with TestClient(create_app(load_settings(workers=0, scheduler=False)), base_url="http://127.0.0.1:8077") as client:
        (search,) = client.get("/v1/searches").json()["items"]
        page = client.get(f"/searches/{search['id']}?trial=0").text
    assert "Fit to the labels" in text_of(page)
    assert "ccuracy" not in page


def test_deep_compression_of_a_tagger_without_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Imitated token by token."""
    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path / "home"))
    task, out = tagging(tmp_path), tmp_path / "out"
    assert run(deep_compression(task, task.bare, out)) == 0
    told = capsys.readouterr().out
    assert "Agreement with the original" in told
    assert "ccuracy" not in told
    assert run(["check", str(out)]) == 0


@pytest.mark.parametrize(("labels", "says"), [("scores", "one-hot"), ("short", "is [8, 4]: give a class number for")])
def test_labels_that_do_not_fit_end_the_search(
    labels: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and one line that says what would be right."""
    import numpy as np

    monkeypatch.setenv("FITWRIGHT_HOME", str(tmp_path / "home"))
    task = tagging(tmp_path)
    arrays = dict(np.load(task.labelled))
    arrays["y"] = np.eye(4)[np.abs(arrays["y"]) % 4] if labels == "scores" else arrays["y"][:, :5]
    np.savez(tmp_path / "wrong.npz", **arrays)
    assert run(deep_compression(task, tmp_path / "wrong.npz", tmp_path / "out")) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert says in told
    assert "Traceback" not in told
