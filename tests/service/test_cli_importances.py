"""`fitwright inspect --importance`: which importance foretells what removals do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from methods.graph import file
from methods.graph.intake.capture import capture
from methods.importance.catalogue import IMPORTANCES
from search import importance_words as words
from service.cli import run


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tiny network for the digits."""
    torch.manual_seed(0)
    layers = (nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10))
    path = tmp_path / "digits.fwm"
    file.write(capture(nn.Sequential(*layers), (torch.zeros(2, 1, 8, 8),)), path)
    return str(path)


def test_importances_are_a_table(model: str, capsys: pytest.CaptureFixture[str]):
    """The best first, each with its correlations and time; why one has no score is said beside it."""
    assert run(["inspect", model, "--importance", "--data", "digits"]) == 0
    told = capsys.readouterr()
    assert "removing 8 units of 1 site, each alone, on 512 samples of digits" in told.out
    rows = [line.split()[0] for line in told.out.splitlines()[4:] if line]
    assert sorted(rows) == sorted(IMPORTANCES)
    assert "batch-norm-scale: it has no score for any of the units" in told.err


def test_importances_are_json(model: str, capsys: pytest.CaptureFixture[str]):
    """The document of `search.importances.compare`, with as many removals as were asked for."""
    assert run(["inspect", model, "--importance", "--data", "digits", "--removals", "5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["removals"]) == 5
    assert {line["name"] for line in found["importances"]} == set(IMPORTANCES)


def test_importances_need_data_that_fit(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One option without the other, and images of another size, are refused with a sentence."""
    np.savez(tmp_path / "wide.npz", x=np.zeros((60, 1, 9, 9), np.float32), y=np.arange(60) % 10)
    for wrong, reason in (
        (["--importance"], "go together"),
        (["--data", "digits"], "go together"),
        (["--importance", "--data", str(tmp_path / "wide.npz")], "samples are [1, 9, 9] but the model takes [1, 8, 8]"),
    ):
        assert run(["inspect", model, *wrong]) != 0
        assert reason in capsys.readouterr().err


def line(name: str, spearman: float | None, seconds: float) -> dict[str, object]:
    return {"name": name, "spearman": spearman, "seconds": seconds}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([line("a", None, 1.0)], "no importance could be rated"),
        ([line("a", 0.2, 1.0), line("b", None, 0.1)], "no importance foretells well what removing"),
        ([line("a", 0.9, 1.0), line("b", 0.7, 0.1)], "a foretells best what removing units of this model does"),
        ([line("a", 0.9, 1.0), line("b", 0.89, 0.1)], "b is as good and faster"),
    ],
)
def test_the_headline_names_the_best(lines: list[dict[str, object]], sentence: str):
    """Only where one foretells well; a faster one that is nearly as good is named too."""
    assert sentence in words.headline({"importances": lines})
