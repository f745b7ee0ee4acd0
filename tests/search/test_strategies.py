"""Arithmetic that single strategies rest on: seeds, what is believed about losses, what limits become."""

from __future__ import annotations

import numpy as np
import pytest

from search.catalogue import STRATEGIES, UnknownStrategy, make_strategy
from search.plan import BadLosses, Guide
from search.problem import Problem, Trial, TrialState, Variable
from search.strategies.belief import believe
from search.strategies.forecast import Forecast
from search.strategies.history import History
from search.strategies.seeds import origin, seeds, uniform
from tests.toys import Toy


def two_methods(evaluations: int = 40) -> Problem:
    prune = [Variable("prune", f"channels:{i}", (1.0, 0.75, 0.5, 0.25)) for i in range(2)]
    return Problem((*prune, Variable("quantize", "weight:0", ("fp32", "int8"))), (), evaluations)


def test_uniform_recipes_choose_one_value_per_method():
    """One method at a time and two together, the middle of the range first; every combination once."""
    points = uniform(two_methods())
    assert points[:3] == [(2, 2, 0), (0, 0, 1), (2, 2, 1)]
    assert sorted(points) == sorted([(k, k, 0) for k in (1, 2, 3)] + [(0, 0, 1)] + [(k, k, 1) for k in (1, 2, 3)])


def test_sites_without_a_value_stay_as_they_are():
    """A uniform recipe leaves a site alone that doesn't have the value."""
    problem = Problem((Variable("prune", "a", (1.0, 0.5)), Variable("prune", "b", (1.0, 0.5, 0.25))))
    assert set(uniform(problem)) == {(1, 1), (0, 2)}


def test_seeds_take_a_quarter_of_the_evaluations():
    """Untouched comes first, and each method gets a turn however few evaluations there are."""
    assert seeds(two_methods(20)) == [(0, 0, 0), *uniform(two_methods())[:4]]
    assert len(seeds(two_methods(1))) == 3


def test_origin_says_who_proposed():
    """Untouched and uniform points are known as such; others are the strategy's own."""
    assert [origin(two_methods(), p, "tpe") for p in [(0, 0, 0), (3, 3, 1), (3, 2, 1)]] == [
        "untouched",
        "uniform",
        "tpe",
    ]


def test_scores_correct_the_losses_of_the_variables_they_touch():
    """After trials that fell half as far as forecast at one variable, its factor falls, and no other does so."""
    toy = Toy.make()
    history = History(toy.problem)
    for number in range(40):
        point = np.random.default_rng(number).integers(0, [len(v.values) for v in toy.problem.variables])
        parts = [values[k] for values, k in zip(toy.guide.losses, point, strict=True)]
        score = 0.9 - 0.02 * (sum(parts) - 0.5 * parts[1])
        history.add([Trial(number, toy.problem.recipe(point.tolist()), TrialState.DONE, quality={"score": score})])
    expected = believe(toy.guide, list(history.points.values())).expected()
    assert 0.5 <= expected[1] < 0.8
    assert np.delete(expected, 1) == pytest.approx(np.ones(9), abs=0.15)


def test_nothing_is_believed_without_scores():
    """Before any trial, and after failed ones, the guide's word stands, without doubt."""
    toy = Toy.make()
    assert not believe(toy.guide, []).informed
    history = History(toy.problem)
    history.add([Trial(i, toy.problem.recipe((i % 2, *[0] * 9)), TrialState.FAILED) for i in range(5)])
    assert believe(toy.guide, list(history.points.values())).expected().tolist() == [1.0] * 10


def test_limits_are_drawn_in_where_trials_cost_more_than_forecast():
    """Trials a tenth dearer than their terms lower that limit by a tenth, and leave the other."""
    toy = Toy.make()
    history = History(toy.problem)
    history.add([toy.evaluate(i, toy.problem.recipe(point)) for i, point in enumerate(uniform(toy.problem))])
    limits = Forecast(toy.problem, toy.guide).limits(history)
    real = {limit.figure: limit.value for limit in toy.problem.limits}
    assert limits == pytest.approx({"latency_s": real["latency_s"] / 1.1, "file_bytes": real["file_bytes"]})


def test_a_guide_for_other_variables_is_refused():
    """A guide whose losses don't match the problem's variables is an error when the strategy is made."""
    toy = Toy.make()
    with pytest.raises(BadLosses, match="one loss per value"):
        make_strategy("plan", toy.problem, Guide(toy.guide.terms, toy.guide.losses[:-1]))


def test_unknown_strategy_names_the_nearest_and_all():
    """A misspelt name gets the nearest one and the list."""
    with pytest.raises(UnknownStrategy, match=r"no strategy 'nsga-2'; did you mean nsga2\? There are: plan, tpe"):
        make_strategy("nsga-2", two_methods())
    assert next(iter(STRATEGIES)) == "plan"
