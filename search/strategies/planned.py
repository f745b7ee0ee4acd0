"""The default strategy: plans by integer programming, corrected by what the trials show, and moves around the best."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

import numpy as np

from search.plan import Guide, PlanTimeout, best
from search.problem import Point, Problem
from search.strategies.belief import Belief, believe
from search.strategies.forecast import Forecast
from search.strategies.history import History
from search.strategies.local_search import LocalSearch
from search.strategies.moves import mutated
from search.strategies.seeds import uniform, untouched
from search.terms import Array

FACTORS = (1.0, 0.9, 1.1, 0.8, 0.95, 1.05, 0.7, 1.3)
"""The first plans are for the limits times these: forecasts may be off, and trials on both sides of the limits tell."""
_GAP, _ROUGH_GAP = 0.02, 0.05
"""Relative gaps to which plans are proven: for what is expected at the limits, and for the others."""
_PARENTS, _POOL, _ROUNDS, _TRIES = 5, 48, 4, 4


class Planned(LocalSearch):
    """Untouched; the uniform recipes that promise most; plans; then half plans, half moves around the best trials.

    Limits are corrected by how much dearer trials turned out than forecast, losses by the scores (`belief`). Without a
    guide it is a local search. Raises BadTerms where the guide doesn't fit the problem.
    """

    name = "plan"

    def __init__(self, problem: Problem, guide: Guide | None = None) -> None:
        super().__init__(problem, guide)
        self._forecast = None if guide is None else Forecast(problem, guide)

    def _first(self) -> Iterable[Point]:
        """Untouched, and a few uniform recipes: within the limits by forecast, of least loss."""
        points = uniform(self.problem)
        if self._forecast is None or not points:
            return super()._first()
        limits = self._forecast.limits(History(self.problem))
        order = self._forecast.order(points, limits, np.ones(len(self.problem.variables)))
        return [untouched(self.problem), *(points[i] for i in order[: max(1, self.problem.evaluations // 12)])]

    def _next(self, count: int, rng: np.random.Generator, taken: Set[Point]) -> Iterator[Point]:
        if self.guide is None or self._forecast is None:
            yield from super()._next(count, rng, taken)
            return
        belief = believe(self.guide, list(self.history.points.values()))
        limits = self._forecast.limits(self.history)
        parents = [told.point for told in self.history.best(_PARENTS)]
        for i, (factors, scale) in enumerate(_targets(belief, count, rng)):
            scaled = {figure: value * scale for figure, value in limits.items()}
            point = _planned(self.guide, factors, scaled, _ROUGH_GAP if i else _GAP)
            if point is not None:
                parents.append(point)
                yield point
        for _ in range(_TRIES * count if parents else 0):
            yield self._climb(self._forecast, parents, limits, belief.drawn(rng), rng, taken)

    def _climb(
        self,
        forecast: Forecast,
        parents: Sequence[Point],
        limits: Mapping[str, float],
        factors: Array,
        rng: np.random.Generator,
        taken: Set[Point],
    ) -> Point:
        """The best new point that a few rounds of small moves from `parents` find, going by `factors`."""
        sizes = [len(v.values) for v in self.problem.variables]
        front = list(parents)
        for _ in range(_ROUNDS):
            moved = [mutated(front[i % len(front)], sizes, rng) for i in range(_POOL)]
            pool = [point for point in dict.fromkeys([*moved, *front]) if point not in taken]
            if pool:
                front = [pool[i] for i in forecast.order(pool, limits, factors)[:_PARENTS]]
        return front[0]


def _targets(belief: Belief, count: int, rng: np.random.Generator) -> Iterator[tuple[Array, float]]:
    """Loss factors and limit factors to plan for. Where nothing is believed yet, the guide's word around the limits;
    then, for half of the batch, at the limits: what is expected, and what may well be."""
    if not belief.informed:
        yield from ((belief.expected(), factor) for factor in FACTORS)
        return
    yield belief.expected(), 1.0
    for _ in range(1, (count + 1) // 2):
        yield belief.drawn(rng), 1.0


def _planned(guide: Guide, factors: Array, limits: Mapping[str, float], gap: float) -> Point | None:
    """The plan for the guide's losses times `factors`; None where there is none, or none was found in time."""
    losses = [values * factor for values, factor in zip(guide.losses, factors, strict=True)]
    try:
        plan = best(guide.terms, losses, limits, gap)
    except PlanTimeout:
        return None
    return None if plan is None else plan.point
