"""The public face: four names, and one call that does it all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import fitwright
from examples.networks import digits_cnn
from examples.train import train
from search.data import load_dataset
from search.splits import split


def test_four_names() -> None:
    """Each can be imported; anything else is named in the error."""
    assert all(getattr(fitwright, name) for name in fitwright.__all__)
    with pytest.raises(AttributeError, match="capture"):
        fitwright.shrink  # noqa: B018


def test_compress_gives_back_a_module_that_trains(tmp_path: Path) -> None:
    """From a module to a smaller one: within its limit, with gradients."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = train(digits_cnn(), split(load_dataset("digits"), 0).train, 6, 0)
    options = {"device": "cortex-m7-analytical", "evaluations": 6, "recovery_epochs": 1}
    limits = {"macs": "0.5x"}
    result = fitwright.compress(
        model, torch.zeros(1, 1, 8, 8), data="digits", limits=limits, out=tmp_path / "b", **options
    )
    assert result.feasible
    small = result.load().train()
    small(torch.zeros(2, 1, 8, 8)).sum().backward()
    assert sum(p.numel() for p in small.parameters()) < sum(p.numel() for p in model.parameters())
