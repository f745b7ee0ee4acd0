"""OptunaStrategy: an Optuna sampler behind ask and tell, on a study in memory that is refilled from the trials."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np
import optuna
from optuna.distributions import IntDistribution

from search.plan import Guide
from search.problem import Point, Problem, Trial, TrialState
from search.strategies.history import Told
from search.strategies.moves import mutated
from search.strategies.seeded import Seeded

_TRIES = 50

optuna.logging.set_verbosity(optuna.logging.WARNING)


class OptunaStrategy(Seeded, ABC):
    """A study whose parameters are the value indices: they are in order of strength, so that neighbours are alike.

    The study holds nothing that isn't in the trials: a suggestion is withdrawn as soon as it is made, and the sampler
    is made anew, with its own seed, for every batch. How far a trial breaks the limits is its Optuna constraint.
    """

    def __init__(self, problem: Problem, guide: Guide | None = None) -> None:
        super().__init__(problem, guide)
        self._space = {str(i): IntDistribution(0, len(v.values) - 1) for i, v in enumerate(problem.variables)}
        self.figures = self._minimised()
        directions = ["maximize", *("minimize" for _ in self.figures)]
        self._study = optuna.create_study(directions=directions, storage=optuna.storages.InMemoryStorage())
        self._usable = 0

    def update(self, trials: Sequence[Trial]) -> None:
        """Takes finished trials in order of number; failed ones teach the sampler nothing."""
        for told in self.history.add(trials):
            values = self._values(told)
            if values is not None:
                self._study.add_trial(self._frozen(told, values))
                self._usable += 1

    @abstractmethod
    def _minimised(self) -> tuple[str, ...]:
        """Figures that are objectives beside the score."""

    @abstractmethod
    def _sampler(self, seed: int) -> Any:
        """A fresh Optuna sampler."""

    def _attributes(self, index: int) -> dict[str, Any]:  # noqa: ARG002
        """What the sampler itself would have noted on its trial number `index` of those it can use."""
        return {}

    def _next(self, count: int, rng: np.random.Generator, taken: Set[Point]) -> Iterator[Point]:
        sizes = [len(v.values) for v in self.problem.variables]
        self._study.sampler = self._sampler(int(rng.integers(2**31)))
        for _ in range(count):
            point = self._asked()
            for _ in range(_TRIES):
                if point not in taken:
                    break
                point = mutated(point, sizes, rng)
            yield point

    def _asked(self) -> Point:
        trial = self._study.ask(self._space)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        params = trial.params
        return tuple(int(params[name]) for name in self._space)

    def _values(self, told: Told) -> list[float] | None:
        """Objectives, or None where there is nothing to learn. What breaks a limit may be unscored; its score is then
        never looked at, since samplers compare such trials by their constraints alone."""
        unscored = told.trial.state == TrialState.INFEASIBLE and not math.isfinite(told.trial.score)
        known = all(figure in told.trial.costs for figure in self.figures)
        values = [0.0 if unscored else told.trial.score, *(told.trial.cost(f) for f in self.figures if known)]
        return values if known and all(map(math.isfinite, [*values, told.excess])) else None

    def _frozen(self, told: Told, values: list[float]) -> Any:
        return optuna.trial.create_trial(
            values=values,
            params=dict(zip(self._space, told.point, strict=True)),
            distributions=self._space,
            constraints={"excess": told.excess},
            system_attrs=self._attributes(self._usable),
        )
