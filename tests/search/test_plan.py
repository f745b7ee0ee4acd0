"""Plans against the enumeration of every recipe, and what is said when there is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import product

import numpy as np
import pytest

from search.plan import BadLosses, Guide, Infeasible, Plan, front, least_achievable, solve
from search.terms import Array, CostTerms, Term
from tests.toys import chain_losses, chain_terms

METRICS = ("a", "b", "peak")


def random_program(seed: int) -> tuple[CostTerms, list[Array], Array]:
    """Terms over up to four of five variables, losses (some negative), and every point of the space."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 5, 5)
    terms = []
    for _ in range(rng.integers(0, 9)):
        variables = rng.permutation(5)[: rng.integers(0, 5)]
        terms.append(Term(tuple(variables.tolist()), rng.uniform(0, 1, (*sizes[variables], 3))))
    known = CostTerms(METRICS, np.array([0.1, 0.0, 0.05]), tuple(terms), ("sum", "sum", "max"))
    return known, [rng.uniform(-0.1, 1, size) for size in sizes], np.array(list(product(*map(range, sizes))))


def random_limits(seed: int, costs: Array) -> dict[str, float]:
    """Limits of one to three metrics at, or somewhat below, what some point costs."""
    rng = np.random.default_rng(seed + 1000)
    chosen = rng.permutation(3)[: rng.integers(1, 4)]
    at = costs[rng.integers(len(costs))] * rng.choice([1.0, 0.9, 0.7])
    return {METRICS[i]: float(at[i]) for i in chosen}


def within(costs: Array, limits: Mapping[str, float]) -> Array:
    """Which rows of costs keep the limits."""
    kept = [costs[:, METRICS.index(m)] <= value * (1 + 1e-9) for m, value in limits.items()]
    return np.logical_and.reduce([np.ones(len(costs), dtype=bool), *kept])


@pytest.mark.parametrize("seed", range(60))
def test_plans_are_the_best_of_all_recipes(seed: int):
    """On small problems the plan has the least loss of all recipes within the limits, or proves that there is none."""
    terms, losses, points = random_program(seed)
    costs = terms.costs(points)
    limits = random_limits(seed, costs)
    kept = within(costs, limits)
    answer = solve(terms, losses, limits, gap=0.0)
    if not kept.any():
        assert isinstance(answer, Infeasible)
        return
    loss = np.sum([values[points[kept, v]] for v, values in enumerate(losses)], axis=0)
    assert isinstance(answer, Plan)
    assert answer.loss == pytest.approx(loss.min(), abs=1e-6)
    assert answer.bound <= loss.min() + 1e-6
    assert within(np.array([list(answer.costs.values())]), limits).all()


def test_infeasible_says_the_true_least():
    """Where limits can't be kept, the least of each, alone and beside the others, is that of the enumeration."""
    seen = 0
    for seed in range(60):
        terms, losses, points = random_program(seed)
        costs = terms.costs(points)
        limits = random_limits(seed, costs)
        answer = solve(terms, losses, limits, gap=0.0)
        for metric in limits if isinstance(answer, Infeasible) else ():
            column = costs[:, METRICS.index(metric)]
            others = within(costs, {m: v for m, v in limits.items() if m != metric})
            assert answer.least[metric] == pytest.approx(column[others].min() if others.any() else math.inf, abs=1e-6)
            assert answer.alone[metric] == pytest.approx(column.min(), abs=1e-6)
            seen += 1
    assert seen > 10


def test_contradictory_limits_are_told_from_impossible_ones():
    """Two limits that can each be kept, but not together, show a least above the limit only beside the other."""
    values = np.array([[1.0, 9.0], [9.0, 1.0]])
    terms = CostTerms(("a", "b"), np.zeros(2), (Term((0,), values),))
    answer = solve(terms, [np.zeros(2)], {"a": 5.0, "b": 5.0})
    assert answer == Infeasible(least={"a": 9.0, "b": 9.0}, alone={"a": 1.0, "b": 1.0})


def test_a_limit_met_exactly_is_met():
    """The untouched network keeps a limit of exactly its own cost, to the last bit."""
    terms, losses = chain_terms(6, (1.0, 0.5), seed=0), chain_losses(6, (1.0, 0.5), seed=0)
    answer = solve(terms, losses, terms.costs_of((0,) * 12))
    assert isinstance(answer, Plan)
    assert answer.point == (0,) * 12


def test_plans_of_a_deep_network_are_nearly_proven():
    """Fifty layers of eight widths and two precisions, under three limits: the gap to the bound is one per cent."""
    widths = tuple(1 - i / 8 for i in range(8))
    terms, losses = chain_terms(50, widths, seed=0), chain_losses(50, widths, seed=0)
    full = terms.costs_of((0,) * 100)
    limits = {
        "latency_s": 0.4 * full["latency_s"],
        "file_bytes": 0.2 * full["file_bytes"],
        "peak_bytes": 0.5 * full["peak_bytes"],
    }
    answer = solve(terms, losses, limits)
    assert isinstance(answer, Plan)
    assert answer.gap <= 0.01
    assert all(answer.costs[metric] <= limit for metric, limit in limits.items())


def test_least_achievable_of_a_maximum_is_the_largest_operator_at_its_smallest():
    """The peak can't fall below the operator whose least is largest."""
    tables = [np.array([[8.0], [3.0]]), np.array([[6.0], [5.0]])]
    terms = CostTerms(("peak",), np.zeros(1), tuple(Term((v,), t) for v, t in enumerate(tables)), ("max",))
    assert least_achievable(terms, "peak") == 5.0


def test_front_falls_as_the_metric_is_allowed_more():
    """Along a front, every plan keeps its share of the untouched cost, and more room never means more loss."""
    terms, losses = chain_terms(6, (1.0, 0.75, 0.5), seed=1), chain_losses(6, (1.0, 0.75, 0.5), seed=1)
    full = terms.costs_of((0,) * 12)["latency_s"]
    plans = front(terms, losses, "latency_s", (0.0001, 0.3, 0.6, 1.0))
    assert [plan.costs["latency_s"] <= share * full for plan, share in zip(plans, (0.3, 0.6, 1.0), strict=True)] == [
        True
    ] * 3
    assert plans[0].loss > plans[1].loss > plans[2].loss == 0.0


def test_a_space_without_variables_has_one_plan():
    """Where no method applies, the plan is the untouched network, if it keeps the limits."""
    terms = CostTerms(("a",), np.array([3.0]), ())
    assert solve(terms, [], {"a": 3.0}) == Plan((), 0.0, {"a": 3.0}, 0.0)
    assert solve(terms, [], {"a": 2.0}) == Infeasible(least={"a": 3.0}, alone={"a": 3.0})


def test_losses_must_fit_the_terms():
    """Too few losses for a variable's values are an error that names the variable."""
    terms = CostTerms(("a",), np.zeros(1), (Term((0,), np.zeros((3, 1))),))
    with pytest.raises(BadLosses, match="variable 0 has 3 values, but 2 losses"):
        solve(terms, [np.zeros(2)], {})


def test_guide_survives_json():
    """A guide comes back from JSON with every bit of its losses and tables."""
    guide = Guide(chain_terms(3, (1.0, 0.5), seed=0), chain_losses(3, (1.0, 0.5), seed=0))
    again = Guide.from_json(json.loads(json.dumps(guide.to_json())))
    assert all((a == b).all() for a, b in zip(again.losses, guide.losses, strict=True))
    assert again.terms.costs_of((0, 1) * 3) == guide.terms.costs_of((0, 1) * 3)
