"""History: the trials told to a strategy, as points of the space with how far each misses the limits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from search.problem import BadRecipe, Limit, Point, Problem, Trial, TrialState


@dataclass(frozen=True)
class Told:
    """One finished trial. `excess`: 0 where every limit is kept, else the relative overstepping, summed over the
    limits; infinite for a trial that failed."""

    point: Point
    trial: Trial
    excess: float

    @property
    def feasible(self) -> bool:
        return self.excess == 0.0


class History:
    """Everything that a strategy may go by; the same trials make the same history, in however many updates."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.told = 0
        self.points: dict[Point, Told] = {}

    def add(self, trials: Iterable[Trial]) -> list[Told]:
        """Takes finished trials in order of number and returns them; recipes from outside the space only count."""
        new = []
        for trial in trials:
            self.told += 1
            try:
                point = self._problem.point(trial.recipe)
            except BadRecipe:
                continue
            self.points[point] = Told(point, trial, _excess(trial, self._problem.limits))
            new.append(self.points[point])
        return new

    def best(self, count: int) -> list[Told]:
        """The feasible trials of highest score, then lowest cost; where there are none, those nearest to the limits."""
        feasible = [told for told in self.points.values() if told.feasible and math.isfinite(told.trial.score)]
        if feasible:
            return sorted(feasible, key=self._rank)[:count]
        broken = [told for told in self.points.values() if math.isfinite(told.excess)]
        return sorted(broken, key=lambda told: (told.excess, told.trial.number))[:count]

    def _rank(self, told: Told) -> tuple[float, float, int]:
        cost = sum(relative_cost(told.trial, limit) for limit in self._problem.limits)
        return -told.trial.score, cost, told.trial.number


def relative_cost(trial: Trial, limit: Limit) -> float:
    """The trial's cost as a share of the limit; 0 where it is unknown."""
    return trial.cost(limit.figure) / limit.value if limit.figure in trial.costs else 0.0


def _excess(trial: Trial, limits: Iterable[Limit]) -> float:
    if trial.state == TrialState.DONE:
        return 0.0
    if trial.state != TrialState.INFEASIBLE:
        return math.inf
    return sum(max(0.0, relative_cost(trial, limit) - 1.0) for limit in limits) or 1.0
