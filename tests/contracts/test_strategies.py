"""What every Strategy promises."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from search.catalogue import STRATEGIES, make_strategy
from search.problem import Limit, Problem, Recipe, Trial, TrialState, Variable
from search.strategy import Strategy
from tests.toys import Toy, search

pytestmark = pytest.mark.parametrize("name", STRATEGIES)

REGRET = {"plan": 0.005, "tpe": 0.03, "nsga2": 0.07, "local": 0.03}
"""Accuracy below the best of all recipes after 80 evaluations, at most, as a mean of three seeds; random: 0.08."""


def make(name: str, toy: Toy) -> Strategy:
    return make_strategy(name, toy.problem, toy.guide)


def failed(number: int, recipe: Recipe) -> Trial:
    return Trial(number, recipe, TrialState.FAILED, error="out of memory")


def unknown(number: int, recipe: Recipe) -> Trial:
    """Broke a limit, and nothing else is known."""
    return Trial(number, recipe, TrialState.INFEASIBLE)


def test_the_same_seed_suggests_the_same(name: str):
    """Two strategies with one seed agree on every recipe; another seed leads elsewhere after the start."""
    toy = Toy.make(seed=1, evaluations=32)
    one, same = (search(make(name, toy), toy.evaluate, 32) for _ in range(2))
    other = make_strategy(name, Problem(toy.problem.variables, toy.problem.limits, 32, seed=2), toy.guide)
    assert one == same
    assert [t.recipe for t in search(other, toy.evaluate, 32)] != [t.recipe for t in one]


def test_starts_with_the_untouched_network_and_uniform_recipes(name: str):
    """The first recipe is empty; the second makes the same choice at every site of each method."""
    first, second, *_ = make(name, Toy.make()).suggest(8)
    assert first == Recipe()
    assert all(len(set(step.choices.values())) == 1 and len(step.choices) == 5 for step in second.steps)


def test_stays_inside_the_space_and_never_repeats(name: str):
    """Every recipe is a point of the problem, and no two are the same."""
    toy = Toy.make(evaluations=48)
    points = [toy.problem.point(t.recipe) for t in search(make(name, toy), toy.evaluate, 48, batch=5)]
    assert len(set(points)) == len(points) == 48


def test_recipes_that_others_tried_are_not_repeated(name: str):
    """Trials that the strategy never suggested count as tried."""
    toy = Toy.make()
    tried = make(name, toy).suggest(8)
    strategy = make(name, toy)
    strategy.update([toy.evaluate(i, recipe) for i, recipe in enumerate(tried[::2])])
    assert not {r.key for r in tried[::2]} & {r.key for r in strategy.suggest(8)}


def test_rebuilt_from_trials_it_goes_on_as_if_undisturbed(name: str):
    """Thrown away at any time and told the trials again, in one go, it suggests what it would have suggested."""
    toy = Toy.make(seed=3, evaluations=48)
    undisturbed, trials = make(name, toy), list[Trial]()
    for _ in range(6):
        rebuilt = make(name, toy)
        rebuilt.update(trials)
        recipes = undisturbed.suggest(8)
        assert rebuilt.suggest(8) == recipes
        trials += (new := [toy.evaluate(len(trials) + i, recipe) for i, recipe in enumerate(recipes)])
        undisturbed.update(new)


def test_asking_twice_gives_the_same_answer(name: str):
    """A batch that was lost before it was stored is suggested again."""
    toy = Toy.make()
    strategy = make(name, toy)
    strategy.update([toy.evaluate(i, recipe) for i, recipe in enumerate(strategy.suggest(16))])
    assert strategy.suggest(6) == strategy.suggest(6)
    assert strategy.suggest(0) == []


@pytest.mark.parametrize("evaluate", [failed, unknown])
def test_survives_trials_that_say_nothing(name: str, evaluate):
    """When every evaluation fails, or breaks a limit without a figure, new recipes keep coming."""
    toy = Toy.make()
    assert len(search(make(name, toy), evaluate, 30)) == 30


def test_survives_trials_from_outside_the_space(name: str):
    """A trial whose recipe the problem doesn't have, added by hand, does no harm."""
    toy = Toy.make()
    strategy = make(name, toy)
    strategy.update(
        [toy.evaluate(0, Recipe()), failed(1, Recipe.from_json({"steps": [{"method": "x", "choices": {"y": 1}}]}))]
    )
    assert len(strategy.suggest(8)) == 8


def test_ends_when_everything_was_tried(name: str):
    """A space of six recipes gives six, then none; a space without variables gives the untouched network alone."""
    small = Problem((Variable("m", "a", (1.0, 0.5, 0.25)), Variable("m", "b", (0, 8)), Variable("m", "c", (1,))))
    for problem, size in ((small, 6), (Problem(()), 1)):
        strategy = make_strategy(name, problem)
        recipes = strategy.suggest(4) + strategy.suggest(0)
        strategy.update([Trial(i, r, TrialState.DONE, quality={"score": 0.5}) for i, r in enumerate(recipes)])
        recipes += strategy.suggest(4)
        assert len({r.key for r in recipes}) == len(recipes) == size


def test_works_without_guide_and_without_limits(name: str):
    """Neither predicted costs nor limits are needed."""
    toy = Toy.make()
    free = Problem(toy.problem.variables, (), 24, seed=0)
    assert len(search(make_strategy(name, free), toy.evaluate, 24)) == 24
    assert len(search(make_strategy(name, free, toy.guide), toy.evaluate, 24)) == 24


def test_limits_that_nothing_keeps_do_not_stop_it(name: str):
    """With an impossible limit, it still looks for what comes nearest."""
    toy = Toy.make()
    hard = Problem(toy.problem.variables, (Limit("latency", 1e-12),), 24)
    assert len(search(make_strategy(name, hard, toy.guide), unknown, 24)) == 24


def test_is_quiet(name: str, capfd: pytest.CaptureFixture[str]):
    """Users see no log lines and no warnings of the libraries underneath."""
    toy = Toy.make(evaluations=24)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search(make(name, toy), toy.evaluate, 24)
    assert capfd.readouterr() == ("", "")


def test_comes_near_the_known_best_and_beats_random(name: str):
    """On a toy problem whose every recipe is enumerated, within `REGRET` of the best, and nearer than random search."""
    if name == "random":
        assert "random" not in REGRET
        return
    toys = [Toy.make(seed, evaluations=80) for seed in range(3)]
    regret, chance = (
        np.mean([toy.best() - toy.found(search(make(strategy, toy), toy.evaluate, 80)) for toy in toys])
        for strategy in (name, "random")
    )
    assert regret <= REGRET[name]
    assert regret < chance
