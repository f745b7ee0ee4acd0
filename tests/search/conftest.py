"""One small trained network, shared by the tests of whole searches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from examples.networks import digits_cnn
from examples.train import train
from methods.graph.file import write
from methods.graph.intake.capture import capture
from search.context import Context, open_context
from search.data import load_dataset
from search.splits import split

ANALYTICAL = "cortex-m7-analytical"
"""Costs that are the same on every machine and at any load."""


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolutional network trained on real digits."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = digits_cnn()
    train(model, split(load_dataset("digits"), 0).train, 8, 0)
    path = tmp_path_factory.mktemp("model") / "digits.fwm"
    write(capture(model, torch.zeros(1, 1, 8, 8)), path)
    return path


def make_context(path: Path, **request: Any) -> Context:
    """A context on the analytical microcontroller, with quick recovery."""
    base: dict[str, Any] = {"device": ANALYTICAL, "dataset": "digits", "limits": {"latency": "0.5x"}, "seed": 0}
    base |= {"evaluations": 12, "strategy": "plan", "recovery_epochs": 2}
    return open_context(base | request, path, "digits")
