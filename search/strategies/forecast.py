"""Forecast: what a guide says about points, with limits corrected by what trials really cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from search.plan import BadLosses, Guide
from search.problem import Point, Problem
from search.strategies.history import History
from search.terms import Array

_NEAREST = 5
"""Trials that a correction goes by: the median of those whose forecast is nearest to the limit."""
_AIM = 0.6
"""Without limits, plans aim at this share of the untouched network's first cost: the middle of the front."""


class Forecast:
    """Costs and losses of many points at once.

    Raises BadTerms for a limited figure that the guide doesn't know, BadLosses where it is of other variables.
    """

    def __init__(self, problem: Problem, guide: Guide) -> None:
        if [len(v.values) for v in problem.variables] != [len(values) for values in guide.losses]:
            raise BadLosses("the guide needs one loss per value for every variable of the problem")
        self._guide = guide
        self._limits = {limit.figure: limit.value for limit in problem.limits}
        if not self._limits:
            untouched = guide.terms.costs_of((0,) * len(problem.variables))
            self._limits = {figure: _AIM * untouched[figure] for figure in guide.terms.metrics[:1]}
        self._columns = [guide.terms.column(figure) for figure in self._limits]
        self._starts = np.cumsum([0, *(len(values) for values in guide.losses)])[:-1]
        self._losses = np.concatenate([*guide.losses, np.empty(0)])

    def limits(self, history: History) -> dict[str, float]:
        """Limits for the terms, by figure: where trials cost more than their terms, lower than the real ones."""
        return {figure: value / self._dearer(history, figure, value) for figure, value in self._limits.items()}

    def order(self, points: Sequence[Point], limits: Mapping[str, float], factors: Array) -> NDArray[np.intp]:
        """Indices of `points`, best first: those within `limits` by loss, the others by how far they are outside.

        `factors` `[variables]` multiply the guide's losses.
        """
        rows = np.asarray(points)
        loss = (self._losses[rows + self._starts] * factors).sum(axis=1)
        costs = self._guide.terms.costs(rows)[:, self._columns]
        bounds = np.array([limits[figure] for figure in self._limits])
        excess = np.maximum(costs / np.where(bounds == 0, 1.0, np.abs(bounds)) - np.sign(bounds), 0.0).sum(axis=1)
        return np.lexsort([loss, excess])

    def _dearer(self, history: History, figure: str, limit: float) -> float:
        """How many times the forecast trials cost, near the limit."""
        known = [told for told in history.points.values() if figure in told.trial.costs]
        if not known:
            return 1.0
        forecast = self._guide.terms.costs([told.point for told in known])[:, self._guide.terms.column(figure)]
        real = np.array([told.trial.cost(figure) for told in known])
        usable = (forecast > 0) & (real > 0)
        near = np.argsort(np.abs(np.log(forecast[usable] / max(limit, 1e-300))), kind="stable")[:_NEAREST]
        return float(np.median(real[usable][near] / forecast[usable][near])) if len(near) else 1.0
