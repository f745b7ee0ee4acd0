"""Deep Compression as one recipe on the network and the images that it was shown on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from examples.train import trained_lenet5
from methods.graph.file import write
from methods.graph.intake.capture import capture
from search.context import open_context
from search.run import run_search

REQUEST = {
    "device": "cortex-m7-analytical",
    "dataset": "mnist",
    "limits": {"size": "0.0285x"},
    "seed": 0,
    "recipe": {"steps": [{"method": "deep-compression"}]},
    "recovery_epochs": 20,
}


@pytest.mark.slow
@pytest.mark.seed("deep-compression")
def test_lenet_gets_35_times_smaller_and_loses_next_to_nothing(tmp_path: Path) -> None:
    """At least 35 times smaller on disk than the fp32 file, at most 0.3 points lost on images that nothing else saw."""
    torch.set_num_threads(1)
    path = tmp_path / "lenet.fwm"
    whole = write(capture(trained_lenet5(0), torch.zeros(1, 1, 28, 28)), path)
    outcome = run_search(open_context(REQUEST, path, "mnist"), tmp_path / "out", lambda _: None)
    assert outcome["outcome"] == "feasible"
    assert whole / (tmp_path / "out" / "model.fwm").stat().st_size >= 35
    lost = outcome["untouched"]["quality"]["accuracy"] - outcome["compressed"]["quality"]["accuracy"]
    assert lost <= 0.003
