"""Plans in steps: near the best plan, within the limits, the same on every run."""

from __future__ import annotations

import numpy as np
import pytest

from search import stepwise
from search.columns import Goal
from search.plan import Infeasible, Plan, least_achievable, solve
from search.stepwise import around, entries, minimise, spread
from search.terms import Array, CostTerms
from search.whole import minimise_whole
from tests.search.operators import encoder
from tests.search.test_tables import terms


@pytest.fixture(autouse=True)
def _small_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps for an encoder of one layer already, whose whole program is quick to solve."""
    monkeypatch.setattr(stepwise, "ENTRIES", 8_000)
    monkeypatch.setattr(stepwise, "_NEAR", 8_000)


def problem(layers: int, seed: int = 0) -> tuple[CostTerms, list[Array]]:
    """An encoder, and losses that rise with every value of a variable, at some much faster than at others."""
    ops, variables = encoder(layers)
    rng = np.random.default_rng(seed)
    losses = [rng.lognormal() * np.linspace(0, 1, len(v.values)) ** 1.7 for v in variables]
    return terms(ops, variables), losses


def limits(known: CostTerms, losses: list[Array], latency: float, size: float) -> dict[str, float]:
    untouched = known.costs_of((0,) * len(losses))
    return {"latency_s": latency * untouched["latency_s"], "file_bytes": size * untouched["file_bytes"]}


@pytest.mark.parametrize(("latency", "size"), [(0.6, 1.0), (0.5, 0.3)])
def test_steps_end_near_the_best_plan(latency: float, size: float) -> None:
    """Within a tenth of what one program over everything proves, and within the limits."""
    known, losses = problem(1)
    goal = Goal(limits(known, losses, latency, size), losses=losses)
    plan, whole = (by(known, goal, len(losses), 0.01, 60.0) for by in (minimise, minimise_whole))
    assert plan is not None
    assert whole is not None
    loss = sum(x[k] for x, k in zip(losses, plan[0], strict=True))
    assert plan[1] <= whole[1] <= loss + 1e-9 <= 1.1 * whole[1] + 2e-9
    assert all(known.costs_of(plan[0])[m] <= limit * (1 + 1e-9) for m, limit in goal.limits.items())


def test_steps_are_the_same_on_every_run() -> None:
    """Two plans for one problem are one plan; its gap says that nothing is proven."""
    known, losses = problem(2)
    first, again = (solve(known, losses, limits(known, losses, 0.4, 0.4)) for _ in range(2))
    assert isinstance(first, Plan)
    assert first == again
    assert first.gap == 1.0


def test_what_can_not_be_kept_is_said() -> None:
    """The least of each metric is that of an encoder without its blocks: nothing."""
    known, losses = problem(2)
    answer = solve(known, losses, {"latency_s": -1.0})
    assert isinstance(answer, Infeasible)
    assert answer.alone == {"latency_s": 0.0}
    assert least_achievable(known, "macs", {"file_bytes": 1e9}) == 0.0


def test_the_first_step_has_the_ends_of_every_variable() -> None:
    """As many values as there is room for; the neighbours of a point and the first value come after."""
    known, losses = problem(2)
    sizes = list(map(len, losses))
    values = spread(known, sizes, 9_000)
    assert 3_000 < entries(known, values) <= 9_000
    assert all((x[0], x[-1]) == (0, size - 1) for x, size in zip(values, sizes, strict=True))
    point = tuple(min(4, size - 1) for size in sizes)
    assert [x.tolist() for x in around(known, point, sizes, 0)][:3] == [[0, 3, 4, 5], [0, 2, 3], [0, 3, 4, 5]]
    assert entries(known, around(known, point, sizes, 15_000)) <= 15_000
