"""Seeded: what all strategies have in common - where they start, that they repeat nothing, that they can be rebuilt."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import product

import numpy as np

from search.plan import Guide
from search.problem import Point, Problem, Recipe, Trial
from search.strategies.history import History
from search.strategies.seeds import seeds

_ENUMERABLE = 20_000
"""Spaces up to this size are gone through to their end; in larger ones a random point is practically always new."""


class Seeded:
    """A Strategy that starts with the untouched and uniform recipes and goes on with what `_next` proposes.

    What it suggests is a function of the problem, the guide and the trials told, nothing else: the random generator
    is made anew for every batch from the seed and the number of trials told.
    """

    name = ""

    def __init__(self, problem: Problem, guide: Guide | None = None) -> None:
        self.problem, self.guide = problem, guide
        self.history = History(problem)

    def suggest(self, count: int) -> list[Recipe]:
        """Up to `count` recipes of the space that no trial has had yet; fewer, or none, when all have been had."""
        rng = np.random.default_rng([self.problem.seed % 2**63, self.history.told])
        taken, chosen = set(self.history.points), list[Point]()
        self._take(self._first(), taken, chosen, count)
        self._take(self._next(count - len(chosen), rng, taken), taken, chosen, count)
        self._take(self._fresh(rng), taken, chosen, count)
        return [self.problem.recipe(point) for point in chosen]

    def update(self, trials: Sequence[Trial]) -> None:
        """Takes finished trials in order of number; failed and infeasible ones too."""
        self.history.add(trials)

    def _first(self) -> Iterable[Point]:
        """What is tried before anything else."""
        return seeds(self.problem)

    def _next(self, count: int, rng: np.random.Generator, taken: Set[Point]) -> Iterator[Point]:  # noqa: ARG002
        """Proposals, `count` of which will be taken; those in `taken` (it grows) are passed over. It must end."""
        return iter(())

    def _fresh(self, rng: np.random.Generator) -> Iterator[Point]:
        sizes = [len(v.values) for v in self.problem.variables]
        if math.prod(sizes) > _ENUMERABLE:
            while True:
                yield tuple(rng.integers(0, sizes).tolist())
        points = list(product(*map(range, sizes)))
        yield from (points[i] for i in rng.permutation(len(points)))

    @staticmethod
    def _take(points: Iterable[Point], taken: set[Point], chosen: list[Point], count: int) -> None:
        """Takes new points until `chosen` has `count` of them; asks for none that it doesn't need."""
        source = iter(points)
        while len(chosen) < count and (point := next(source, None)) is not None:
            if point not in taken:
                taken.add(point)
                chosen.append(point)
