"""STRATEGIES: one line each."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Protocol

from search.plan import Guide
from search.problem import Problem, SearchError
from search.strategies.local_search import LocalSearch
from search.strategies.nsga2 import Nsga2
from search.strategies.planned import Planned
from search.strategies.random_search import RandomSearch
from search.strategies.tpe import Tpe
from search.strategy import Strategy


class UnknownStrategy(SearchError):
    """There is no strategy of that name."""


class Factory(Protocol):
    """Makes a Strategy for a Problem; it may go by a Guide, where there is one."""

    name: str

    def __call__(self, problem: Problem, guide: Guide | None = None) -> Strategy: ...


_STRATEGIES: tuple[Factory, ...] = (Planned, Tpe, Nsga2, LocalSearch, RandomSearch)

STRATEGIES: Mapping[str, Factory] = {strategy.name: strategy for strategy in _STRATEGIES}
"""By name; the first is the default."""


def make_strategy(name: str, problem: Problem, guide: Guide | None = None) -> Strategy:
    """The named strategy, as yet told nothing. Raises UnknownStrategy."""
    if name not in STRATEGIES:
        near = get_close_matches(name, STRATEGIES, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UnknownStrategy(f"there is no strategy {name!r}; {hint}There are: {', '.join(STRATEGIES)}")
    return STRATEGIES[name](problem, guide)
