"""Energy as a budget: half of it on the Eyeriss-class accelerator, met for reasons that its levels show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import fitwright
from examples.networks import digits_cnn
from examples.train import train
from hwmodels.catalogue import DEVICES
from hwmodels.levels import energy_levels, latencies
from hwmodels.roofline import Roofline
from methods.graph.file import read
from methods.graph.ir import Graph
from methods.graph.lower import lower
from search.data import load_dataset
from search.splits import split

EYERISS = DEVICES["eyeriss-analytical"]


def levels_of(graph: Graph) -> dict[str, float]:
    workload = lower(graph)
    return energy_levels(workload, EYERISS, latencies(Roofline().estimate(workload, EYERISS)))


@pytest.mark.slow
@pytest.mark.parametrize(("limit", "methods"), [("0.5x", None), ("0.7x", ["sparsity"])], ids=["any", "zeros alone"])
def test_an_energy_budget_is_met(tmp_path: Path, limit: str, methods: list[str] | None) -> None:
    """Few evaluations find it without a loss worth the name: DRAM takes most, and fewer bits or weights move less."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = train(digits_cnn(), split(load_dataset("digits"), 0).train, 6, 0)
    options: dict[str, Any] = {"evaluations": 6, "recovery_epochs": 1} | ({"methods": methods} if methods else {})
    result = fitwright.compress(
        model,
        torch.zeros(1, 1, 8, 8),
        data="digits",
        device=EYERISS.id,
        limits={"energy": limit},
        out=tmp_path / "b",
        **options,
    )
    assert result.feasible
    found = result.outcome["compressed"]
    before, after = (levels_of(read(path)) for path in (tmp_path / "b-untouched.fwm", tmp_path / "b" / "model.fwm"))
    assert sum(after.values()) == pytest.approx(found["costs"]["energy_j"]["value"])
    assert sum(after.values()) <= float(limit[:-1]) * sum(before.values())
    assert max(before, key=before.__getitem__) == "DRAM"
    assert before["DRAM"] - after["DRAM"] > 0.5 * (sum(before.values()) - sum(after.values()))
    assert found["quality"]["accuracy"] > 0.95
    assert not any("storage only" in flag for flag in result.outcome["flags"])
