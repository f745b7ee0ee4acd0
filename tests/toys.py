"""A toy search whose every recipe can be enumerated: five layers in a chain, four widths and two precisions each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from search.plan import Guide
from search.problem import Limit, Problem, Recipe, Trial, TrialState, Variable
from search.strategy import Strategy
from search.terms import Array, CostTerms, Term

SITES = 5
WIDTHS = (1.0, 0.75, 0.5, 0.25)
METRICS = ("latency_s", "file_bytes", "peak_bytes")


def chain_terms(sites: int, widths: tuple[float, ...], seed: int) -> CostTerms:
    """Costs of a chain of convolutions: each depends on its input width, its output width and its precision.

    Variables 0 to sites - 1 are the output widths, the next `sites` the precisions (fp32, int8).
    """
    rng = np.random.default_rng(seed)
    channels, area = 16 * 2 ** rng.integers(0, 4, sites), 4 ** rng.integers(1, 5, sites)
    terms = []
    for i in range(sites):
        into = np.ceil(channels[i - 1] * np.array(widths)) if i else np.array([3.0])
        out = np.ceil(channels[i] * np.array(widths))
        weights = 9 * into[:, None, None] * out[None, :, None]
        latency = weights * area[i] * 1e-10 * np.array([1.0, 1 / rng.uniform(1.2, 3.5)]) + 1e-6
        peak = (into[:, None, None] + out[None, :, None]) * area[i] * np.array([4.0, 1.0])
        values = np.stack([latency, weights * np.array([4.0, 1.0]), peak], axis=-1)
        terms.append(Term((i - 1, i, sites + i) if i else (i, sites + i), values if i else values[0]))
    return CostTerms(METRICS, np.array([1e-6, 2000.0, 0.0]), tuple(terms), ("sum", "sum", "max"))


def chain_losses(sites: int, widths: tuple[float, ...], seed: int) -> list[Array]:
    """Losses that grow with what is taken away, very differently from layer to layer."""
    rng = np.random.default_rng(seed)
    thin = (1 - np.array(widths)) ** 1.7
    return [s * thin for s in rng.lognormal(0, 1, sites)] + [
        np.array([0, 0.05 * s]) for s in rng.lognormal(0, 1, sites)
    ]


@dataclass(frozen=True)
class Toy:
    """Evaluates recipes: accuracy falls by the true losses, saturating, and neighbours make each other worse.

    Latency is a tenth higher than the guide's terms say; its losses are off by a random factor at every variable.
    """

    problem: Problem
    guide: Guide
    losses: list[Array]

    @classmethod
    def make(cls, seed: int = 0, evaluations: int = 40) -> Toy:
        terms, losses = chain_terms(SITES, WIDTHS, seed), chain_losses(SITES, WIDTHS, seed)
        scale = 0.3 / sum(values[2] for values in losses[:SITES])
        errors = np.exp(np.random.default_rng(seed + 1).normal(0, 0.5, 2 * SITES))
        variables = [Variable("channel-pruning", f"channels:c{i}", WIDTHS) for i in range(SITES)]
        variables += [Variable("quantization", f"weight:c{i}", ("fp32", "int8")) for i in range(SITES)]
        full = terms.costs_of((0,) * 2 * SITES)
        limits = (Limit("latency", 0.4 * full["latency_s"]), Limit("size", 0.25 * full["file_bytes"]))
        guide = Guide(terms, [values * error for values, error in zip(losses, errors, strict=True)])
        return cls(Problem(tuple(variables), limits, evaluations, seed), guide, [v * scale for v in losses])

    def scores(self, points: Array) -> Array:
        """True accuracy `[n]` of points `[n, variables]`."""
        falls = np.stack([values[points[:, v]] for v, values in enumerate(self.losses)], axis=1)
        worse = 0.3 * np.sqrt(falls[:, : SITES - 1] * falls[:, 1:SITES]).sum(axis=1)
        return np.asarray(0.9 * np.exp(-(falls.sum(axis=1) + worse) / 0.9))

    def costs(self, points: Array) -> Array:
        """True costs `[n, metrics]`."""
        return np.asarray(self.guide.terms.costs(points) * np.array([1.1, 1.0, 1.0]))

    def evaluate(self, number: int, recipe: Recipe) -> Trial:
        point = np.array([self.problem.point(recipe)])
        figures = dict(zip(METRICS, self.costs(point)[0].tolist(), strict=True))
        costs = {name: {"value": value, "source": "modelled", "error": 0.0} for name, value in figures.items()}
        if any(figures[limit.figure] > limit.value for limit in self.problem.limits):
            return Trial(number, recipe, TrialState.INFEASIBLE, costs=costs)
        noise = np.random.default_rng([self.problem.seed, number]).normal(0, 0.002)
        return Trial(
            number, recipe, TrialState.DONE, costs=costs, quality={"score": float(self.scores(point)[0] + noise)}
        )

    def best(self) -> float:
        """The highest true accuracy of any recipe that keeps the limits, by enumeration."""
        points = np.array(list(product(*(range(len(v.values)) for v in self.problem.variables))))
        costs = self.costs(points)
        kept = [costs[:, METRICS.index(limit.figure)] <= limit.value for limit in self.problem.limits]
        return float(self.scores(points[np.logical_and.reduce(kept)]).max())

    def found(self, trials: list[Trial]) -> float:
        """True accuracy of the trial that scored best; 0 where none kept the limits."""
        done = [t for t in trials if t.state == TrialState.DONE]
        chosen = max(done, key=lambda t: t.score, default=None)
        return 0.0 if chosen is None else float(self.scores(np.array([self.problem.point(chosen.recipe)]))[0])


def search(strategy: Strategy, evaluate: Callable[[int, Recipe], Trial], trials: int, batch: int = 8) -> list[Trial]:
    """Runs a strategy batch by batch, as the search does."""
    done: list[Trial] = []
    while len(done) < trials and (recipes := strategy.suggest(min(batch, trials - len(done)))):
        new = [evaluate(len(done) + i, recipe) for i, recipe in enumerate(recipes)]
        strategy.update(new)
        done += new
    return done
