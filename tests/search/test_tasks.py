"""Whole searches where labels are values, one per token, or not there at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from methods.graph.file import write
from methods.graph.intake.capture import capture
from search import summary
from search.bundle import read_graph
from search.context import open_context
from search.proofs import check, replay
from search.run import run_search
from tests.search.conftest import ANALYTICAL
from tests.search.tasks import Task, regression, sequence, tagging

MAKERS: dict[str, Callable[[Path], Task]] = {"regression": regression, "sequence": sequence, "tagging": tagging}
LIMITS = {
    "regression": {"size": "0.3x", "latency": "0.7x"},
    "sequence": {"latency": "0.8x"},
    "tagging": {"size": "0.6x"},
}
FIT, ACCURACY, AGREEMENT = (
    ("fit", "Fit to the labels"),
    ("accuracy", "Accuracy"),
    ("agreement", "Agreement with the original"),
)
NAMES = {"regression": FIT, "sequence": FIT, "tagging": ACCURACY}


@pytest.fixture(scope="module", params=list(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    """The tasks, one after the other."""
    return str(request.param)


@pytest.fixture(scope="module")
def task(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Task:
    """The trained network of a task."""
    return MAKERS[kind](tmp_path_factory.mktemp(kind))


def request_for(data: Path, **more: Any) -> dict[str, Any]:
    """A request on the analytical microcontroller, with quick recovery."""
    base = {"device": ANALYTICAL, "dataset": data.stem, "dataset_path": str(data), "seed": 0}
    return base | {"evaluations": 6, "strategy": "plan", "recovery_epochs": 8} | more


@pytest.fixture(scope="module", params=["labelled", "bare"])
def finished(
    request: pytest.FixtureRequest, kind: str, task: Task, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path, tuple[str, str]]:
    """The outcome of a whole search, its bundle, and what its score must be called."""
    data, folder = getattr(task, request.param), tmp_path_factory.mktemp("search") / "bundle"
    context = open_context(request_for(data, limits=LIMITS[kind]), task.model, data)
    outcome = run_search(context, folder)
    named = NAMES[kind] if request.param == "labelled" else AGREEMENT
    return outcome, folder, named


def test_the_score_is_called_what_it_is(finished: tuple[dict[str, Any], Path, tuple[str, str]]) -> None:
    """In the document, in the table, in the sentence, and in the report."""
    outcome, folder, (key, name) = finished
    for side in ("untouched", "compressed"):
        quality = outcome[side]["quality"]
        assert {"accuracy", "fit", "agreement"} & set(quality) == {key}
        assert quality["low"] <= quality["score"] == quality[key] <= quality["high"]
    assert summary.headline(outcome)[0].name == name
    assert f"untouched model, {name.lower()} " in summary.verdict(outcome)
    report = (folder / "report.html").read_text()
    assert f'<th scope="row">{name}</th>' in report
    assert ("Accuracy" in report.partition("packed-plotly")[0]) == (name == "Accuracy")


def test_a_task_that_was_learnt_is_kept(
    finished: tuple[dict[str, Any], Path, tuple[str, str]], task: Task, kind: str
) -> None:
    """Within the limits, and held against the labels even where the search had none: imitation teaches the task."""
    outcome, folder, _ = finished
    context = open_context(request_for(task.labelled, limits=LIMITS[kind]), task.model, task.labelled)
    before, after = (context.quality(read_graph(folder, f"{n}.fwm"), "report")["score"] for n in ("untouched", "model"))
    assert (outcome["outcome"], before > 0.85) == ("feasible", True)
    assert after > before - 0.05


def test_the_bundle_proves_itself(finished: tuple[dict[str, Any], Path, tuple[str, str]]) -> None:
    """Labels of any kind are in the bundle: check recomputes the score, replay gives the same weights."""
    _, folder, _ = finished
    assert check(folder)["ok"]
    assert replay(folder)["identical"]


ROUNDED = {"steps": [{"method": "quantization", "choices": {"weight:*": "int8"}}]}


def carried_out(model: Path, data: Path, folder: Path) -> dict[str, Any]:
    """The outcome of one recipe that rounds everything."""
    request = request_for(data, limits={"size": "1x"}, recipe=ROUNDED, recovery_epochs=1)
    return run_search(open_context(request, model, data), folder)


def test_labels_in_other_units_are_pointed_out(tmp_path: Path) -> None:
    """The untouched model does no better than the labels' mean: the score says little, and the outcome says so."""
    task = regression(tmp_path)
    arrays = dict(np.load(task.labelled))
    arrays["y"] = 1000 + 100 * arrays["y"]
    np.savez(tmp_path / "far.npz", **arrays)
    flags = carried_out(task.model, tmp_path / "far.npz", tmp_path / "out")["flags"]
    assert [flag for flag in flags if "in the units that it was trained with?" in flag]
    assert not carried_out(task.model, task.labelled, tmp_path / "right")["flags"]


def test_a_class_for_each_pixel(tmp_path: Path) -> None:
    """Labels `[n, h, w]` for outputs `[n, classes, h, w]`; pixels that are never counted change nothing."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1)).eval()
    x = np.random.default_rng(0).normal(size=(60, 1, 8, 8)).astype(np.float32)
    with torch.no_grad():
        own = network(torch.from_numpy(x)).argmax(dim=1).numpy()
    write(capture(network, torch.zeros(1, 1, 8, 8)), tmp_path / "m.fwm")
    own[:, :4] = -1
    np.savez(tmp_path / "mine.npz", x=x, y=own)
    outcome = carried_out(tmp_path / "m.fwm", tmp_path / "mine.npz", tmp_path / "out")
    assert outcome["untouched"]["quality"]["accuracy"] == 1
    assert outcome["compressed"]["quality"]["accuracy"] > 0.95
    assert check(tmp_path / "out")["ok"]
