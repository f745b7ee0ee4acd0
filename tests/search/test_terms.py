"""CostTerms: vectorised costs against a plain loop, merging, JSON, and what contradictory terms say."""

from __future__ import annotations

import json

import numpy as np
import pytest

from search.problem import BadRecipe
from search.terms import BadTerms, CostTerms, Term

SIZES = (2, 4, 3, 5, 1)


def random_terms(seed: int) -> CostTerms:
    """Terms over none to four of five variables, in any order, two metrics summed and one the largest."""
    rng = np.random.default_rng(seed)
    terms = []
    for _ in range(8):
        variables = tuple(rng.permutation(5)[: rng.integers(0, 5)].tolist())
        terms.append(Term(variables, rng.uniform(0, 1, (*(SIZES[v] for v in variables), 3))))
    return CostTerms(("a", "b", "peak"), np.array([0.5, 0.0, 0.2]), tuple(terms), ("sum", "sum", "max"))


def looped(terms: CostTerms, point: tuple[int, ...]) -> list[float]:
    """The obvious way: one table entry after another."""
    entries = [t.values[tuple(point[v] for v in t.variables)] for t in terms.terms]
    rows = np.array([terms.constant, *entries])
    return [*rows[:, :2].sum(axis=0), rows[:, 2].max()]


@pytest.mark.parametrize("seed", range(5))
def test_costs_equal_the_plain_loop(seed: int):
    """Thousands of points, costed at once and across blocks, cost what a loop over their terms says."""
    terms = random_terms(seed)
    points = np.random.default_rng(seed).integers(0, SIZES, (5000, 5))
    costs = terms.costs(points)
    for i in (0, 1, 4095, 4096, 4999):
        np.testing.assert_allclose(costs[i], looped(terms, tuple(points[i])), rtol=1e-12)


def test_scaled_terms_cost_so_many_times_as_much():
    """In the metrics that are named; the others stay."""
    terms, points = random_terms(3), np.random.default_rng(3).integers(0, SIZES, (50, 5))
    found = terms.scaled({"b": 1.25, "peak": 2.0}).costs(points)
    np.testing.assert_allclose(found, terms.costs(points) * [1.0, 1.25, 2.0], rtol=1e-12)


def test_costs_of_names_the_metrics():
    """One point's costs come by metric, as plain floats."""
    terms = random_terms(0)
    costs = terms.costs_of((1, 2, 0, 4, 0))
    assert list(costs) == ["a", "b", "peak"]
    assert list(costs.values()) == pytest.approx(looped(terms, (1, 2, 0, 4, 0)))


def test_terms_over_the_same_variables_merge():
    """Whatever the order of their variables, two terms over the same ones become one: added, or the larger."""
    one = Term((0, 1), np.arange(12.0).reshape(2, 3, 2))
    other = Term((1, 0), 10 + np.arange(12.0).reshape(3, 2, 2))
    terms = CostTerms(("a", "peak"), np.zeros(2), (one, other), ("sum", "max"))
    assert len(terms.terms) == 1
    assert terms.costs_of((1, 2)) == {"a": one.values[1, 2, 0] + other.values[2, 1, 0], "peak": other.values[2, 1, 1]}


def test_terms_over_no_variables_become_the_constant():
    """What every recipe costs anyway is added once, or is the least that a maximum can be."""
    terms = CostTerms(("a", "peak"), np.array([1.0, 5.0]), (Term((), np.array([2.0, 3.0])),), ("sum", "max"))
    assert terms.terms == ()
    assert terms.costs([[], []]).tolist() == [[3.0, 5.0]] * 2


def test_json_brings_back_every_bit():
    """Terms survive JSON exactly."""
    terms = random_terms(1)
    again = CostTerms.from_json(json.loads(json.dumps(terms.to_json())))
    points = np.random.default_rng(0).integers(0, SIZES, (50, 5))
    assert (again.costs(points) == terms.costs(points)).all()


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ([Term((0, 0), np.zeros((2, 2, 1)))], r"variables \(0, 0\)"),
        ([Term((0,), np.zeros((2, 2, 1)))], r"shape \(2, 2, 1\)"),
        ([Term((0,), np.zeros((2, 3)))], "has 3 metrics"),
        ([Term((0,), np.zeros((2, 1))), Term((0,), np.zeros((3, 1)))], "differ in shape"),
        ([Term((0,), np.zeros((2, 1))), Term((0, 1), np.zeros((3, 2, 1)))], "variable 0 has"),
        ([Term((0,), np.array([[0.0], [np.nan]]))], "not finite"),
    ],
    ids=["twice", "shape", "metrics", "same", "sizes", "nan"],
)
def test_contradictory_terms_are_refused(terms: list[Term], says: str):
    """Terms that don't fit together are named when they are put together, not when they are used."""
    with pytest.raises(BadTerms, match=says):
        CostTerms(("latency_s",), np.zeros(1), tuple(terms))


@pytest.mark.parametrize("point", [(2, 0), (-1, 0), (0,)])
def test_points_outside_the_tables_are_refused(point: tuple[int, ...]):
    """An index that a table doesn't have is an error, not a neighbour's cost."""
    terms = CostTerms(("a",), np.zeros(1), (Term((0, 1), np.zeros((2, 3, 1))),))
    with pytest.raises(BadRecipe):
        terms.costs([point])


def test_unknown_metric_names_the_known_ones():
    """Asking for a metric that the terms don't have says which they have."""
    with pytest.raises(BadTerms, match="nothing is known about energy_j; the terms know a, b, peak"):
        random_terms(0).column("energy_j")
