"""The best point by one integer program over everything that the cost terms know."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from search.columns import Goal, blocks
from search.problem import Point
from search.program import Program, Solution
from search.terms import CostTerms

_EXACT = 1e-9
"""Relative excess over a limit that is only the rounding of a sum in another order."""


def minimise_whole(
    terms: CostTerms, goal: Goal, variables: int, gap: float, time_limit_s: float
) -> tuple[Point, float] | None:
    """The best point up to a relative `gap`, and a bound that no point is below; None where no point keeps the limits.

    HiGHS keeps rows to a millionth; a limit overstepped by that is drawn in. Raises PlanTimeout.
    """
    limits = dict(goal.limits)
    for _ in range(4):
        found = _solution(terms, replace(goal, limits=limits), gap, time_limit_s)
        if found is None:
            return None
        point = tuple(found.choice.get(v, 0) for v in range(variables))
        costs = terms.costs_of(point)
        excess = {m: costs[m] - limit for m, limit in goal.limits.items() if costs[m] > limit + _EXACT * abs(limit)}
        if not excess:
            return point, found.bound
        limits |= {m: limits[m] - 2 * over for m, over in excess.items()}
    return None


def _solution(terms: CostTerms, goal: Goal, gap: float, time_limit_s: float) -> Solution | None:
    constant = dict(zip(terms.metrics, terms.constant.tolist(), strict=True))
    kind = {m: terms.reductions[terms.column(m)] for m in (*goal.limits, *filter(None, [goal.metric]))}
    room = {m: limit - constant[m] for m, limit in goal.limits.items()}
    sizes = terms.sizes if goal.losses is None else dict(enumerate(map(len, goal.losses)))
    found = blocks(terms, goal, sizes)
    if any(kind[m] == "max" and room[m] < 0 for m in room) or any(not len(block.choices) for block in found):
        return None
    if not found:
        return Solution({}, 0.0) if all(left >= 0 for left in room.values()) else None
    users = sorted({block.variables[i] for block in found for i in block.shared})
    shared = {v: np.zeros(sizes[v]) if goal.losses is None else goal.losses[v] for v in users}
    rows = np.array([left for m, left in room.items() if kind[m] == "sum"])
    floor = constant[goal.metric] if goal.losses is None and kind[goal.metric] == "max" else None
    return Program(found, shared, rows, floor).solve(gap, time_limit_s)
