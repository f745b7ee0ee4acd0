"""Planning figures on a synthetic network of fifty convolutions, eight widths and two precisions each.

Prints recipes costed per second, seconds to the first feasible plan and to re-solve for new budgets, and what each
strategy spends per trial beside the evaluations. Run it on one core, for figures per core:

    OMP_NUM_THREADS=1 python -m benchmarks.planning
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from search.catalogue import STRATEGIES, make_strategy
from search.plan import Guide, Plan, least_achievable, solve
from search.problem import Limit, Problem, Recipe, Trial, TrialState, Variable
from search.terms import Array, CostTerms, Term

SITES, BATCH, TRIALS = 50, 8, 40
WIDTHS = tuple(1 - i / 8 for i in range(8))
METRICS = ("latency_s", "energy_j", "file_bytes", "peak_bytes", "macs")
BUDGETS = (
    {"latency_s": 0.5},
    {"latency_s": 0.3, "file_bytes": 0.2},
    {"latency_s": 0.5, "peak_bytes": 0.3},
    {"latency_s": 0.5, "energy_j": 0.3, "file_bytes": 0.25},
    {"latency_s": 0.2, "energy_j": 0.2, "file_bytes": 0.1, "peak_bytes": 0.4},
)


def network(sites: int, seed: int = 0) -> Guide:
    """A chain of 3x3 convolutions, narrow and large at first, wide and small at last.

    Width i is variable i, precision i is variable sites + i; an operator's cost depends on the width before it, its own
    width and its precision.
    """
    rng = np.random.default_rng(seed)
    depth = np.arange(sites) / sites * 5
    channels, area = np.round(16 * 2**depth / 8) * 8, (64 / 2 ** np.floor(depth)) ** 2
    terms = []
    for i in range(sites):
        into = np.ceil(channels[i - 1] * np.array(WIDTHS)) if i else np.array([3.0])
        values = operator(into, np.ceil(channels[i] * np.array(WIDTHS)), area[i], rng.uniform(1.2, 3.5))
        terms.append(Term((i - 1, i, sites + i), values) if i else Term((i, sites + i), values[0]))
    thin = (1 - np.array(WIDTHS)) ** 1.7
    losses = [s * thin for s in rng.lognormal(0, 1, sites)]
    losses += [np.array([0, 0.05 * s]) for s in rng.lognormal(0, 1, sites)]
    return Guide(
        CostTerms(METRICS, np.array([0, 0, 2000, 0, 0.0]), tuple(terms), ("sum", "sum", "sum", "max", "sum")), losses
    )


def operator(into: Array, out: Array, area: float, speedup: float) -> Array:
    """Costs `[len(into), len(out), 2, metrics]` of a convolution in fp32 and int8; kernels work on eight channels."""
    into, out = into[:, None, None], out[None, :, None]
    steps = np.ceil(into / 8) * np.ceil(out / 8) * 64 * 9 * area
    weights = 9 * into * out * np.array([4.0, 1.0])
    macs = 9 * into * out * area * np.ones(2)
    energy = macs * np.array([4.6e-12, 0.3e-12]) + weights * 1e-10
    latency = steps * 1e-11 * np.array([1.0, 1 / speedup]) + 5e-6
    return np.stack([latency, energy, weights, (into + out) * area * np.array([4.0, 1.0]), macs], axis=-1)


def timed(work: Callable[..., object], *args: object) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work(*args)
    return time.perf_counter() - start


def costing(guide: Guide) -> None:
    points = np.random.default_rng(0).integers(0, [len(values) for values in guide.losses], (100_000, 2 * SITES))
    fastest = min(timed(guide.terms.costs, points) for _ in range(5))
    print(f"recipes costed per second on one core: {len(points) / fastest:,.0f}")


def planning(guide: Guide) -> None:
    full = guide.terms.costs_of((0,) * 2 * SITES)
    for i, shares in enumerate(BUDGETS):
        limits = {metric: share * full[metric] for metric, share in shares.items()}
        start = time.perf_counter()
        answer = solve(guide.terms, guide.losses, limits)
        taken, what = time.perf_counter() - start, "re-solved" if i else "first plan"
        assert isinstance(answer, Plan)
        text = ", ".join(f"{metric} <= {share}x" for metric, share in shares.items())
        print(f"{what}: {taken:.2f} s, gap {answer.gap:.2%}  ({text})")
    impossible = {"latency_s": 0.001 * full["latency_s"]}
    print(f"an impossible budget refused: {timed(solve, guide.terms, guide.losses, impossible):.2f} s")
    slowest = max(timed(least_achievable, guide.terms, metric) for metric in METRICS)
    print(f"least achievable of one metric, slowest: {slowest:.2f} s")


def overhead(guide: Guide, sites: int) -> None:
    """Milliseconds per trial that suggest and update take, with evaluations that cost nothing."""
    full = guide.terms.costs_of((0,) * 2 * sites)
    variables = [Variable("channel-pruning", f"channels:c{i}", WIDTHS) for i in range(sites)]
    variables += [Variable("quantization", f"weight:c{i}", ("fp32", "int8")) for i in range(sites)]
    limits = (Limit("latency", 0.4 * full["latency_s"]), Limit("size", 0.2 * full["file_bytes"]))
    problem = Problem(tuple(variables), limits, TRIALS, seed=0)
    spent = {name: spend(name, problem, guide) for name in STRATEGIES}
    print(
        f"{sites} sites: " + ", ".join(f"{name} {1e3 * s / TRIALS:.1f}" for name, s in spent.items()) + " ms per trial"
    )


def spend(name: str, problem: Problem, guide: Guide) -> float:
    """Seconds within a strategy over a whole search."""
    strategy, number, seconds = make_strategy(name, problem, guide), 0, 0.0
    while number < TRIALS:
        start = time.perf_counter()
        recipes = strategy.suggest(min(BATCH, TRIALS - number))
        seconds += time.perf_counter() - start
        trials = [evaluated(number + i, recipe, problem, guide) for i, recipe in enumerate(recipes)]
        seconds += timed(strategy.update, trials)
        number += len(trials)
    return seconds


def evaluated(number: int, recipe: Recipe, problem: Problem, guide: Guide) -> Trial:
    point = problem.point(recipe)
    figures = guide.terms.costs_of(point)
    costs = {name: {"value": value, "source": "modelled", "error": 0.0} for name, value in figures.items()}
    kept = all(figures[limit.figure] <= limit.value for limit in problem.limits)
    loss = sum(float(values[k]) for values, k in zip(guide.losses, point, strict=True))
    state = TrialState.DONE if kept else TrialState.INFEASIBLE
    return Trial(number, recipe, state, costs=costs, quality={"score": float(np.exp(-0.02 * loss))} if kept else {})


def main() -> None:
    guide = network(SITES)
    costing(guide)
    print("planning; first plan includes setting the program up, as does every other:")
    planning(guide)
    print(f"overhead of the strategies, {TRIALS} trials in batches of {BATCH}:")
    for sites in (5, SITES):
        overhead(network(sites), sites)


if __name__ == "__main__":
    main()
