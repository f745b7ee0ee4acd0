"""Plans: the recipe of least predicted loss that keeps every limit, with a proof of how good it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from search.columns import Goal
from search.problem import Point, SearchError
from search.program import PlanTimeout
from search.stepwise import minimise
from search.terms import Array, CostTerms

__all__ = ["BadLosses", "Guide", "Infeasible", "Plan", "PlanTimeout", "best", "front", "least_achievable", "solve"]

GAP = 1e-2
"""Relative gap at which a plan counts as best: far below what sensitivities can tell apart."""
TIME_LIMIT_S = 60.0


class BadLosses(SearchError):
    """The losses don't fit the variables that the cost terms ask about."""


@dataclass(frozen=True, eq=False)
class Guide:
    """What a plan goes by: costs of any recipe, and per variable the loss of each of its values (`[len(values)]`)."""

    terms: CostTerms
    losses: Sequence[Array]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON that comes back bit by bit."""
        return {"terms": self.terms.to_json(), "losses": [values.tolist() for values in self.losses]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Guide:
        return cls(CostTerms.from_json(data["terms"]), tuple(np.array(values, float) for values in data["losses"]))


@dataclass(frozen=True)
class Plan:
    """A point with its predicted loss and costs; no point that keeps the limits loses less than `bound`."""

    point: Point
    loss: float
    costs: Mapping[str, float]
    bound: float

    @property
    def gap(self) -> float:
        """Proven relative distance from the best: 0 where the plan is the best."""
        return max(0.0, self.loss - self.bound) / max(abs(self.loss), 1e-12)


@dataclass(frozen=True)
class Infeasible:
    """No recipe keeps all limits. `least`: the least of each metric while the other limits hold (infinite where
    those alone can't be kept); `alone`: its least whatever the others. A limit below `alone` can never be kept."""

    least: Mapping[str, float]
    alone: Mapping[str, float]


def solve(
    terms: CostTerms,
    losses: Sequence[Array],
    limits: Mapping[str, float],
    gap: float = GAP,
    time_limit_s: float = TIME_LIMIT_S,
) -> Plan | Infeasible:
    """The plan under `limits` (upper bounds by metric of `terms`), or what the least achievable values are.

    The answer is proven within the relative `gap`, but for very large tables, which are gone through in steps: the
    plan's own `gap` then says how far it may be off. It is the same on every run, unless the time limit ends the search
    for it early. Raises PlanTimeout, BadLosses, BadTerms.
    """
    plan = best(terms, losses, limits, gap, time_limit_s)
    if plan is not None:
        return plan
    others = {m: {n: v for n, v in limits.items() if n != m} for m in limits}
    least = {m: least_achievable(terms, m, others[m], time_limit_s) for m in limits}
    return Infeasible(least, {m: least_achievable(terms, m, {}, time_limit_s) for m in limits})


def best(
    terms: CostTerms,
    losses: Sequence[Array],
    limits: Mapping[str, float],
    gap: float = GAP,
    time_limit_s: float = TIME_LIMIT_S,
) -> Plan | None:
    """As `solve`, but None where no recipe keeps the limits, without the work of finding out what would."""
    _check_losses(terms, losses)
    found = minimise(terms, Goal(limits, losses=losses), len(losses), gap, time_limit_s)
    if found is None:
        return None
    point, bound = found
    loss = float(sum(values[k] for values, k in zip(losses, point, strict=True)))
    return Plan(point, loss, terms.costs_of(point), min(bound, loss))


def least_achievable(
    terms: CostTerms, metric: str, limits: Mapping[str, float] | None = None, time_limit_s: float = TIME_LIMIT_S
) -> float:
    """The least value of `metric` that any recipe has, of those that keep `limits`; infinite where none does."""
    variables = max(terms.sizes, default=-1) + 1
    found = minimise(terms, Goal(limits or {}, metric=metric), variables, 0.0, time_limit_s)
    return math.inf if found is None else terms.costs_of(found[0])[metric]


def front(
    terms: CostTerms,
    losses: Sequence[Array],
    metric: str,
    fractions: Sequence[float],
    limits: Mapping[str, float] | None = None,
) -> list[Plan]:
    """Plans with `metric` at most each of `fractions` of the untouched network; those that can't be are left out."""
    untouched = terms.costs_of((0,) * len(losses))[metric]
    given = dict(limits or {})
    ceilings = (min(fraction * untouched, given.get(metric, math.inf)) for fraction in fractions)
    plans = (best(terms, losses, given | {metric: ceiling}) for ceiling in ceilings)
    return [plan for plan in plans if plan is not None]


def _check_losses(terms: CostTerms, losses: Sequence[Array]) -> None:
    for variable, size in terms.sizes.items():
        if variable >= len(losses) or len(losses[variable]) != size:
            known = len(losses[variable]) if variable < len(losses) else "no"
            raise BadLosses(f"variable {variable} has {size} values, but {known} losses")
    if not all(np.isfinite(values).all() for values in losses):
        raise BadLosses("losses must be finite numbers")
