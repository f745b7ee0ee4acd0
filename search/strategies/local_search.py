"""Local search: the best trials so far with one or two variables changed; as good as TPE, at no expense.

Reference: E. Real et al., "Regularized evolution for image classifier architecture search", 2019, arXiv:1802.01548
(mutation of good parents; here the parents are the best, not a sample).
"""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np

from search.problem import Point
from search.strategies.moves import mutated, strengthened
from search.strategies.seeded import Seeded

_PARENTS = 5
_TRIES = 50


class LocalSearch(Seeded):
    """Mutates the five best feasible trials in turn; before there is one, strengthens those nearest to the limits."""

    name = "local"

    def _next(self, count: int, rng: np.random.Generator, taken: Set[Point]) -> Iterator[Point]:  # noqa: ARG002
        parents = self.history.best(_PARENTS)
        sizes = [len(v.values) for v in self.problem.variables]
        for i in range(_TRIES * count if parents else 0):
            parent = parents[i % len(parents)]
            yield mutated(parent.point, sizes, rng) if parent.feasible else strengthened(parent.point, sizes, rng, 0.25)
