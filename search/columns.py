"""Blocks: cost tables as columns of an integer program, merged and thinned so that only useful joint values remain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search.terms import Array, CostTerms, Term, combine

_THIN = 4096
"""Joint values of private variables above which a block isn't thinned: the comparison is quadratic."""


@dataclass(frozen=True)
class Goal:
    """What is minimised and what must hold: the sum of `losses` (one array per variable), or, without them, `metric`.

    `limits` are upper bounds by metric.
    """

    limits: Mapping[str, float]
    losses: Sequence[Array] | None = None
    metric: str = ""


@dataclass(frozen=True, eq=False)
class Block:
    """Joint values of the variables of one merged term; exactly one column of each block is chosen.

    `choices` `[columns, variables]`; `objective` `[columns]`; `costs` `[columns, limited sums]`; `peak` `[columns]`, of
    a metric that is a maximum and minimised; `shared` are the positions of variables that other blocks have, too.
    """

    variables: tuple[int, ...]
    choices: NDArray[np.intp]
    objective: Array
    costs: Array
    peak: Array
    shared: tuple[int, ...]

    @property
    def open(self) -> bool:
        """Whether there is something left to choose once the shared variables are fixed."""
        return len(np.unique(self.choices[:, self.shared], axis=0)) < len(self.choices)


def blocks(terms: CostTerms, goal: Goal, sizes: Mapping[int, int]) -> list[Block]:
    """The blocks of all variables in `sizes` (variable -> number of values)."""
    merged = _fold(terms, sizes)
    users = Counter(v for term in merged for v in term.variables)
    return [
        _block(term, terms, goal, tuple(i for i, v in enumerate(term.variables) if users[v] > 1)) for term in merged
    ]


def _fold(terms: CostTerms, sizes: Mapping[int, int]) -> list[Term]:
    """Terms over a subset of another's variables become part of it; variables without any get an empty term."""
    largest = np.array([r == "max" for r in terms.reductions])
    merged: list[Term] = []
    for term in sorted(terms.terms, key=lambda t: -len(t.variables)):
        home = next((i for i, t in enumerate(merged) if set(term.variables) <= set(t.variables)), None)
        if home is None:
            merged.append(term)
        else:
            host = merged[home]
            merged[home] = Term(host.variables, combine(host, _widen(term, host), largest))
    known = {v for term in merged for v in term.variables}
    zeros = (Term((v,), np.zeros((size, len(largest)))) for v, size in sizes.items() if v not in known)
    return [*merged, *zeros]


def _widen(term: Term, host: Term) -> Term:
    """The term with an axis of length one for every variable that only the host has."""
    shape = tuple(size if v in term.variables else 1 for v, size in zip(host.variables, host.sizes, strict=True))
    return Term(host.variables, term.values.reshape(*shape, -1))


def _block(term: Term, terms: CostTerms, goal: Goal, shared: tuple[int, ...]) -> Block:
    choices = np.indices(term.sizes).reshape(len(term.sizes), -1).T
    table = term.values.reshape(len(choices), -1)
    objective, peak = _objective(term, table, choices, terms, goal, shared)
    sums = [terms.column(m) for m in goal.limits if terms.reductions[terms.column(m)] == "sum"]
    alive = np.ones(len(choices), dtype=bool)
    for metric, limit in goal.limits.items():
        if terms.reductions[terms.column(metric)] == "max":
            alive &= table[:, terms.column(metric)] <= limit
    figures = np.column_stack([objective, peak, table[:, sums]])
    alive = _undominated(figures, alive, term.sizes, shared)
    return Block(term.variables, choices[alive], objective[alive], table[alive][:, sums], peak[alive], shared)


def _objective(
    term: Term, table: Array, choices: NDArray[np.intp], terms: CostTerms, goal: Goal, shared: tuple[int, ...]
) -> tuple[Array, Array]:
    """What each column adds to the objective, and to the maximum that is minimised."""
    zeros = np.zeros(len(choices))
    if goal.losses is not None:
        private = [i for i in range(len(term.variables)) if i not in shared]
        return sum((goal.losses[term.variables[i]][choices[:, i]] for i in private), zeros), zeros
    column = terms.column(goal.metric)
    return (table[:, column], zeros) if terms.reductions[column] == "sum" else (zeros, table[:, column])


def _undominated(
    figures: Array, alive: NDArray[np.bool_], sizes: tuple[int, ...], shared: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Drops columns that another one, with the same shared values, beats or equals in every figure."""
    private = [i for i in range(len(sizes)) if i not in shared]
    width = int(np.prod([sizes[i] for i in private], dtype=int))
    if width == 1 or width > _THIN:
        return alive
    order = np.arange(len(alive)).reshape(sizes).transpose(*shared, *private).reshape(-1, width)
    grouped, kept = [column[order] for column in figures.T if column.any()], alive[order]
    for rival in range(width):
        beaten = kept[:, rival : rival + 1] & (np.arange(width) != rival)
        level = np.ones_like(kept[:, :rival])
        for figure in grouped:
            one = figure[:, rival : rival + 1]
            beaten &= one <= figure
            level &= one == figure[:, :rival]
        beaten[:, :rival] &= ~level
        kept &= ~beaten
    alive = np.zeros_like(alive)
    alive[order[kept]] = True
    return alive
