"""A table that is too fast, and a stopwatch that says so: the search goes on and ends within the limit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hwmodels.workload import Workload
from methods.graph.load import load_graph
from methods.graph.program import program_for
from search.context import open_context
from search.devices import open_hardware
from search.run import run_search

DEVICE = "local-onnxruntime"

TOO_FAST = 0.7
"""Less than sums of nodes of so small a network are off in noise might not show."""


class Flatterer:
    """Keeps true rows until `flatters`; from then on those of operators that weren't there yet are too fast."""

    flatters = False

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"latency_s": TOO_FAST * row["latency_s"]} if self.flatters else row


@pytest.mark.slow
def test_what_the_stopwatch_finds_tightens_the_limit(model_file: Path, tmp_path: Path) -> None:
    """Pruned operators that the table has too fast let the first finalists break the limit; later ones keep it.

    The limit is a share of the untouched network, timed in the same run: a machine that changes meanwhile changes both.
    """
    table = Flatterer()
    hardware = open_hardware(DEVICE, (), table)
    assert hardware.profiler is not None
    untouched = Workload((), program=program_for(load_graph(model_file), hardware.device))
    hardware.cost_model.estimate(untouched, hardware.device)
    table.flatters = True
    request: dict[str, Any] = {"device": DEVICE, "dataset": "digits", "seed": 0, "evaluations": 16, "strategy": "plan"}
    request |= {"limits": {"latency": "0.7x"}, "methods": ["channel-pruning"], "recovery_epochs": 1}
    outcome = run_search(open_context(request, model_file, "digits", hardware), tmp_path / "bundle")
    hardware.profiler.close()
    assert outcome["rounds"], outcome["finalists"]
    assert "slower than estimated" in outcome["rounds"][0]["reason"]
    assert outcome["outcome"] == "feasible", outcome["reason"]
    assert outcome["limits"][0]["achieved"] <= outcome["limits"][0]["value"]
