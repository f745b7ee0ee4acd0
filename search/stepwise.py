"""Coarse to fine: a plan over few values of every variable, then over their neighbours, until it gets no better.

An operator that follows six variables has a table of ten thousand entries, a transformer millions, and as many columns
would the integer program have. Each round is a program of its own over part of the values, solved as any other; on an
encoder of twelve layers the rounds came to the same plans as the whole program, in a twentieth of its time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from search.columns import Goal
from search.problem import Point
from search.program import PlanTimeout
from search.terms import CostTerms, Term
from search.whole import minimise_whole

Values = Sequence[NDArray[np.intp]]
"""Per variable the values that are looked at, rising."""
Found = tuple[Point, float]
"""A point, and what the goal comes to there."""

ENTRIES = 30_000
"""Entries of all tables together up to which a program is solved whole."""
_NEAR = 20_000
"""The same for the rounds around a plan."""
_ROUNDS = 6
_ROUGH = 0.05
"""Relative gap of the rounds before the last, and the gain that another one must have brought."""

_MANY = 500
"""Tables beyond which the last, exact round is left out: each of dozens of concatenated widths has tables of its own,
and proving the last percents over them takes many times as long as all else."""


def minimise(
    terms: CostTerms, goal: Goal, variables: int, gap: float, time_limit_s: float
) -> tuple[Point, float] | None:
    """The best point and a bound; None where no point keeps the limits. Raises PlanTimeout.

    Of small tables the answer is proven. In steps it is no more than very good, and None means that not even the
    first round, with the strongest choices of all, had a point that keeps the limits.
    """
    sizes = [terms.sizes.get(v, 1) for v in range(variables)] if goal.losses is None else list(map(len, goal.losses))
    if entries(terms, [np.arange(size) for size in sizes]) <= ENTRIES:
        return minimise_whole(terms, goal, variables, gap, time_limit_s)
    values = spread(terms, sizes, ENTRIES)
    best = _minimise_part(terms, goal, values, max(gap, _ROUGH), time_limit_s)
    if best is None:
        return None
    for _ in range(_ROUNDS):
        found = _near(best, terms, goal, sizes, max(gap, _ROUGH), time_limit_s)
        gained, best = best[1] - found[1], min(best, found, key=lambda way: way[1])
        if gained < _ROUGH * abs(best[1]):
            break
    last = _near(best, terms, goal, sizes, gap, time_limit_s) if len(terms.terms) <= _MANY else best
    floor = -math.inf if goal.losses is None else float(sum(values.min() for values in goal.losses))
    return min(best, last, key=lambda way: way[1])[0], floor


def _near(best: Found, terms: CostTerms, goal: Goal, sizes: Sequence[int], gap: float, time_limit_s: float) -> Found:
    """The best point around one that is known; that one where no better is found in time."""
    try:
        return _minimise_part(terms, goal, around(terms, best[0], sizes, _NEAR), gap, time_limit_s) or best
    except PlanTimeout:
        return best


def _minimise_part(terms: CostTerms, goal: Goal, values: Values, gap: float, time_limit_s: float) -> Found | None:
    """The best point among some values of each variable, and what the goal comes to there."""
    losses = None if goal.losses is None else [known[at] for known, at in zip(goal.losses, values, strict=True)]
    part = restricted(terms, values)
    found = minimise_whole(part, replace(goal, losses=losses), len(values), gap, time_limit_s)
    if found is None:
        return None
    point = tuple(int(known[k]) for known, k in zip(values, found[0], strict=True))
    if losses is None:
        return point, part.costs_of(found[0])[goal.metric]
    return point, float(sum(known[k] for known, k in zip(losses, found[0], strict=True)))


def entries(terms: CostTerms, values: Values) -> int:
    """Entries of all tables over these values."""
    return sum(math.prod(len(values[v]) for v in term.variables) for term in terms.terms)


def spread(terms: CostTerms, sizes: Sequence[int], most: int) -> Values:
    """As many values of each variable as `most` entries allow, evenly spread, always with the first and the last."""
    for count in range(max(sizes), 2, -1):
        values = [np.unique(np.linspace(0, size - 1, min(size, count)).round().astype(np.intp)) for size in sizes]
        if entries(terms, values) <= most:
            return values
    return [np.unique([0, size - 1]) for size in sizes]


def around(terms: CostTerms, point: Point, sizes: Sequence[int], most: int) -> Values:
    """The values of a point, the first of all, and as many on both sides as `most` entries allow, at least one."""
    values: Values = []
    for reach in range(max(sizes), 0, -1):
        steps = np.arange(-reach, reach + 1)
        values = [np.unique(np.clip([0, *(k + steps)], 0, size - 1)) for k, size in zip(point, sizes, strict=True)]
        if entries(terms, values) <= most:
            break
    return values


def restricted(terms: CostTerms, values: Values) -> CostTerms:
    """The terms over some of the values; points count among these."""
    parts = (Term(t.variables, t.values[np.ix_(*(values[v] for v in t.variables))]) for t in terms.terms)
    return CostTerms(terms.metrics, terms.constant, tuple(parts), terms.reductions)
