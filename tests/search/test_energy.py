"""Energy budgets, and where the energy goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from search.energy_words import energy_lines
from search.proofs import check
from search.run import run_search
from tests.search.conftest import make_context


@pytest.fixture(scope="module")
def saved(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """Half the energy on the row-stationary accelerator: outcome and bundle."""
    folder = tmp_path_factory.mktemp("energy") / "bundle"
    context = make_context(model_file, device="eyeriss-analytical", limits={"energy": "0.5x"}, evaluations=8)
    return run_search(context, folder), folder


def test_an_energy_budget_is_met(saved: tuple[dict[str, Any], Path]) -> None:
    """Half the joules, judged modelled and called so, and the bundle's check models them again."""
    outcome, folder = saved
    assert outcome["outcome"] == "feasible", outcome["reason"]
    (limit,) = outcome["limits"]
    before, after = (outcome[side]["costs"]["energy_j"]["value"] for side in ("untouched", "compressed"))
    assert (limit["kept"], limit["source"]) == (True, "modelled")
    assert after <= 0.5 * before
    found = {row["name"]: row for row in check(folder)["checks"]}
    assert found["limit energy"]["found"] == pytest.approx(after)


def test_levels_add_up_to_the_energy(saved: tuple[dict[str, Any], Path]) -> None:
    """Register files, array, buffer, DRAM and arithmetic sum to the figure that the limit is held against."""
    outcome, folder = saved
    levels = outcome["energy_levels"]["levels"]
    assert {"arithmetic", "register files", "array", "buffer", "DRAM"} <= {level["name"] for level in levels}
    for side, of in (("before", "untouched"), ("after", "compressed")):
        assert sum(x[side] for x in levels) == pytest.approx(outcome[of]["costs"]["energy_j"]["value"])
    assert json.loads((folder / "result.json").read_text())["energy_levels"] == outcome["energy_levels"]


def test_the_report_has_the_levels(saved: tuple[dict[str, Any], Path]) -> None:
    """A table and a figure, marked as modelled, with the same joules as the outcome."""
    outcome, folder = saved
    page = (folder / "report.html").read_text()
    assert "Where the energy goes" in page
    assert 'data-plot="energy"' in page
    name, before, after, change, share = energy_lines(outcome)[-1]
    assert (name, share) == ("total", "100.00 %")
    assert all(f">{text}<" in page for text in (before, after, change))
