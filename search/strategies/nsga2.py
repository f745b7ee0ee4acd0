"""NSGA-II: a population of recipes, crossed and mutated; the front of score against the limited costs.

Reference: K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.samplers import NSGAIISampler

from search.problem import Trial
from search.strategies.study import OptunaStrategy


class Nsga2(OptunaStrategy):
    """Optuna's NSGA-II with constrained domination: score against every limited figure, or against latency."""

    name = "nsga2"

    def update(self, trials: Sequence[Trial]) -> None:
        """Takes finished trials in order of number.

        The parents of a generation are chosen as soon as the one before is complete, for Optuna keeps them: chosen at
        the next suggestion, their order would depend on when that was.
        """
        for trial in trials:
            super().update([trial])
            if self._usable % self._population == 0:
                self._study.sampler = self._sampler(0)
                self._asked()

    @property
    def _population(self) -> int:
        """At least four generations within the evaluations."""
        return max(8, min(50, self.problem.evaluations // 4))

    def _minimised(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(limit.figure for limit in self.problem.limits)) or ("latency_s",)

    def _sampler(self, seed: int) -> Any:
        return NSGAIISampler(population_size=self._population, seed=seed)

    def _attributes(self, index: int) -> dict[str, Any]:
        return {NSGAIISampler._get_generation_key(): index // self._population}
