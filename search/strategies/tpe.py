"""TPE: models good and bad recipes as densities over all variables together, and draws where the ratio is best.

References: J. Bergstra et al., "Algorithms for hyper-parameter optimization", 2011; S. Watanabe, "Tree-structured
Parzen estimator", 2023, arXiv:2304.11127 (the multivariate form and the treatment of constraints used here).
"""

from __future__ import annotations

from typing import Any

from optuna.samplers import TPESampler

from search.strategies.study import OptunaStrategy


class Tpe(OptunaStrategy):
    """Optuna's multivariate TPE: the highest score under the limits; without limits, score against latency."""

    name = "tpe"

    def _minimised(self) -> tuple[str, ...]:
        return () if self.problem.limits else ("latency_s",)

    def _sampler(self, seed: int) -> Any:
        return TPESampler(multivariate=True, seed=seed)
