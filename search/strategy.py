"""The Strategy protocol: two verbs, and no truth of its own; the trials are the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from search.problem import Recipe, Trial


class Strategy(Protocol):
    """What to try next. Built from a Problem; rebuilt at any time by replaying the trials.

    `suggest` depends only on the problem's seed and the trials given to `update`, so that a search that was
    killed and rebuilt goes on as if it had never stopped.
    """

    name: str

    def suggest(self, count: int) -> list[Recipe]:
        """Up to `count` recipes inside the space; fewer, or none, when exhausted."""

    def update(self, trials: Sequence[Trial]) -> None:
        """Takes finished trials in order of number; failed and infeasible ones too."""
