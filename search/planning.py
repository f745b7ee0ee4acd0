"""Cheap costs of single operators, for plans over thousands of recipes.

An analytical device answers at once. A measured one first looks up a few differently compressed versions of the
network, and a latency per kind of operator is fitted to them; what a plan proposes is looked up in full afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hwmodels.learning import Learner
from hwmodels.workload import Op, Workload
from methods.graph.lower import lower
from methods.graph.program import program_for
from search.candidates import Effort, compress
from search.context import Context
from search.evaluate import KNOWN
from search.problem import Recipe, Step, Value

OpCosts = Callable[[Sequence[Op], Sequence[str]], Mapping[str, float]]
LESSONS = (("channel-pruning",), ("quantization",), ("channel-pruning", "quantization"), ("low-rank",))


def planning_costs(context: Context, wanted: Sequence[str]) -> OpCosts:
    """A function from operators and figure names (latency_s, energy_j, macs) to their sums; `wanted` are those that
    will be asked for."""
    model, device = context.cost_model, context.device
    if set(wanted) <= {"macs"}:
        return lambda ops, _: {"macs": float(sum(op.macs for op in ops))}
    border_s = 0.0
    if isinstance(model, Learner):
        if model.fit is None:
            model.learn([_workload(context, recipe) for recipe in lessons(context)], device)
        border_s = _border_s(context, model)

    def costs(ops: Sequence[Op], figures: Sequence[str]) -> Mapping[str, float]:
        found = [model.op_cost(op, device) for op in ops]
        sums = {figure: float(sum(getattr(cost, figure) for cost in found)) for figure in figures}
        if border_s and "latency_s" in sums:
            sums["latency_s"] += border_s * sum(_is_integer(op) for op in ops)
        return sums

    return costs


def _is_integer(op: Op) -> bool:
    return bool(op.site) and op.precision.startswith("int")


def _border_s(context: Context, model: Learner) -> float:
    """Seconds that each integer layer costs beyond its own fitted latency: codes made and unmade at its borders, and
    neighbours that run in integers too. The larger of what all layers and every other layer in 8 bits show."""
    quantization = context.methods.get("quantization")
    sites = list(quantization.space(context.graph, context.device).sites) if quantization else []
    worst = 0.0
    for chosen in (sites, sites[::2]):
        if quantization is None or not chosen or model.fit is None:
            continue
        choices: dict[str, Value] = dict.fromkeys(chosen, "int8")
        workload = _workload(context, Recipe((Step("quantization", choices),)))
        planned = [made for op in lower(context.graph).ops for made in quantization.rewrite(op, choices)]
        beyond = model.estimate(workload, context.device)["latency_s"].value - model.fit.network_latency_s(planned)
        worst = max(worst, beyond / max(1, sum(_is_integer(op) for op in planned)))
    return worst


def lessons(context: Context) -> list[Recipe]:
    """Recipes that a latency is learnt from: untouched, methods at half strength everywhere, and random widths."""
    spaces = {n: m.space(context.graph, context.device).sites for n, m in context.methods.items()}
    spaces = {name: sites for name, sites in spaces.items() if sites}
    recipes = [Recipe()]
    for combination in LESSONS:
        if set(combination) <= set(spaces):
            recipes.append(
                Recipe(tuple(Step(n, {s: v[len(v) // 2] for s, v in spaces[n].items()}) for n in combination))
            )
    draw = np.random.default_rng(0)
    for _ in range(3 if "channel-pruning" in spaces else 0):
        widths: dict[str, Value] = {s: v[int(draw.integers(len(v)))] for s, v in spaces["channel-pruning"].items()}
        recipes.append(Recipe((Step("channel-pruning", widths),)))
    return recipes


def _workload(context: Context, recipe: Recipe) -> Workload:
    try:
        graph = compress(context, recipe, Effort.NONE)
    except KNOWN:
        graph = context.graph
    return replace(lower(graph, context.device.batch), program=program_for(graph, context.device))
