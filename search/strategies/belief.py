"""Belief: how far off the guide's losses are at each variable, going by the trials scored so far.

The guide's losses are measured one site at a time, by a proxy. The model here is that the score falls by their sum,
but for an unknown factor at every variable: score = base - scale * sum_v factor_v * loss_v. Bayesian linear
regression gives the factors with their uncertainty; a plan for factors drawn from it tries what may well be better
and isn't known to be worse.

Reference: D. Russo et al., "A tutorial on Thompson sampling", 2018, arXiv:1707.02038 (linear bandits).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search.plan import Guide
from search.strategies.history import Told
from search.terms import Array

_DOUBT = 0.5
"""Standard deviation of a factor before any trial: a proxy's typical error at one site."""
_INTERACTION = 0.25
"""Standard deviation of what the sum leaves out, as a share of the predicted fall."""
_NOISE = 0.005
"""Standard deviation of a score: half a point of accuracy, as over some hundreds of samples."""
_LEAST = 0.05
"""Factors stay above this: no choice is believed to be free, or even good, on the strength of noise."""
_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Belief:
    """Factors on the guide's losses: `mean` `[variables]` and `root` `[variables, variables]` of their covariance.

    Factors are rounded, so that the last bits of linear algebra, which differ with the number of threads, can't tip a
    plan.
    """

    mean: Array
    root: Array

    @property
    def informed(self) -> bool:
        """Whether any trial has said anything."""
        return bool(self.root.any())

    def expected(self) -> Array:
        return np.maximum(self.mean, _LEAST).round(_DIGITS)

    def drawn(self, rng: np.random.Generator) -> Array:
        """Factors that may be the true ones."""
        return np.maximum(self.mean + self.root @ rng.normal(size=len(self.mean)), _LEAST).round(_DIGITS)


def believe(guide: Guide, trials: Sequence[Told]) -> Belief:
    """What the scored trials say; without enough of them, that the guide is right."""
    variables = len(guide.losses)
    scored = [told for told in trials if math.isfinite(told.trial.score)]
    losses = np.array([[guide.losses[v][k] for v, k in enumerate(told.point)] for told in scored])
    fitted = _line(losses.sum(axis=1), np.array([told.trial.score for told in scored])) if len(scored) > 2 else None
    if fitted is None:
        return Belief(np.ones(variables), np.zeros((variables, variables)))
    base, scale = fitted
    parts = scale * losses
    surprise = base - np.array([told.trial.score for told in scored]) - parts.sum(axis=1)
    return _posterior(parts, surprise)


def _line(loss: Array, score: Array) -> tuple[float, float] | None:
    """Base and scale of score = base - scale * loss, by weighted least squares; None where there is no such trend.

    Small losses weigh most: there the sum is a good model, and the plans that matter lie there.
    """
    typical = float(np.median(loss[loss > 0])) if (loss > 0).any() else 0.0
    if typical == 0.0:
        return None
    weight = 1.0 / (1.0 + np.maximum(loss, 0.0) / typical)
    design = np.column_stack([np.ones_like(loss), -loss])
    (base, scale), *_ = np.linalg.lstsq(design * weight[:, None], score * weight)
    return (float(base), float(scale)) if scale > 0 else None


def _posterior(parts: Array, surprise: Array) -> Belief:
    """Factors given `parts` `[trials, variables]` of the predicted fall and how much deeper each score fell."""
    noise = (_NOISE + _INTERACTION * np.abs(parts).sum(axis=1)) ** 2
    gain = _DOUBT**2 * np.linalg.solve(_DOUBT**2 * parts @ parts.T + np.diag(noise), parts).T
    covariance = _DOUBT**2 * (np.eye(parts.shape[1]) * (1.0 + 1e-6) - gain @ parts)
    root: Array = np.linalg.cholesky((covariance + covariance.T) / 2).astype(np.float64)
    return Belief(1.0 + gain @ surprise, root)
