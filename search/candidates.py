"""A recipe becomes a network: shapes first, then what they cost in accuracy is won back, then forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any

from hwmodels.base import Cost, Figure, Source
from methods.base import Method
from methods.catalogue import METHODS, check_order, method, reshapes
from methods.graph.file import packed_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.program import program_for
from methods.recovery.catalogue import recovery, schedule_of, settable
from methods.recovery.least_squares import LeastSquares
from methods.recovery.schedule import Schedule
from search.context import Context
from search.problem import BadRecipe, Recipe, Step
from search.target import FormTarget

TRIAL_EPOCHS, FINAL_EPOCHS = 1, 10
FORM_RATE = 3e-4
"""Learning rate of the last training, in which codebooks and codes are already in place."""


class Effort(StrEnum):
    """How much is done to win accuracy back: NONE (costs only), CHEAP (no training), TRIAL, FINAL."""

    NONE = "none"
    CHEAP = "cheap"
    TRIAL = "trial"
    FINAL = "final"


def compress(context: Context, recipe: Recipe, effort: Effort) -> Graph:
    """The network that a recipe stands for. Deterministic in recipe, effort and the search's seed.

    Raises MethodError or BadRecipe for what can't be, and what the methods raise for choices that can't be carried out.
    """
    if effort is Effort.FINAL:
        return _finished(context, recipe)
    graph = shaped(context, recipe, recover=effort is not Effort.NONE)
    return formed(context, trained(context, graph, recipe, TRIAL_EPOCHS) if effort is Effort.TRIAL else graph, recipe)


def _finished(context: Context, recipe: Recipe) -> Graph:
    """The network trained to the end. A schedule that walks with full weights walks towards factors as well."""
    epochs, walks = final_epochs(context), plan_of(context, recipe, {}).full_weights
    early = Recipe(tuple(s for s in recipe.steps if not walks or METHODS[s.method].stage == "shape"), recipe.training)
    graph = trained(context, shaped(context, early, recover=True), early, epochs)
    late = [s for s in recipe.steps if s not in early.steps or not reshapes(s.method)]
    if not late:
        return graph
    late_only = plan_of(context, recipe, {}).name == "one-shot" and not recipe.training
    usual = {"epochs": max(1, epochs // 2), "learning_rate": FORM_RATE} if late_only else {"epochs": epochs}
    plan = plan_of(context, recipe, usual)
    return plan.reach(graph, context.graph, context.splits.train, context.seed * 1000 + 2, target_of(context, late))


def shaped(context: Context, recipe: Recipe, recover: bool) -> Graph:
    """Shapes alone, with what least squares wins back. It moves batch means too; recalibrating after it lost accuracy
    at a quarter of the channels (0.82 to 0.73 on the digits network)."""
    steps = _steps(recipe, shapes=True)
    graph = target_of(context, steps).apply(context.graph) if steps else context.graph
    if not steps or not recover:
        return graph
    return LeastSquares().recover(graph, context.graph, context.calibration, context.seed)


def trained(context: Context, graph: Graph, recipe: Recipe, epochs: int) -> Graph:
    """A shaped network after its recovery, with the original as teacher; untouched shapes need none."""
    if not _steps(recipe, shapes=True):
        return graph
    recovery = plan_of(context, recipe, {"epochs": epochs}).recovery
    return recovery.recover(graph, context.graph, context.splits.train, context.seed * 1000 + 1)


def formed(context: Context, graph: Graph, recipe: Recipe) -> Graph:
    """A shaped network with the recipe's forms put on its weights."""
    return target_of(context, _steps(recipe, shapes=False)).apply(graph)


def settled_in(context: Context, graph: Graph, recipe: Recipe, epochs: int) -> Graph:
    """A network trained under the forms that it has."""
    recovery = plan_of(context, recipe, {"epochs": epochs}).recovery
    return recovery.recover(graph, context.graph, context.splits.train, context.seed * 1000 + 2)


def target_of(context: Context, steps: Sequence[Step]) -> FormTarget:
    """What the steps of a recipe come to, for schedules to walk towards."""
    return FormTarget([(configured(s), s.choices) for s in steps], context.graph, context.calibration)


def plan_of(context: Context, recipe: Recipe, usual: Mapping[str, Any]) -> Schedule:
    """The schedule, with its recovery, that recipe or request ask for; `usual` settings where they say nothing.

    Masks come on gradually unless something else is asked for: at once, 95 % of zeros cost LeNet-5 several points more.
    """
    asked = {k: v for k, v in dict(recipe.training or context.request.get("training") or {}).items() if v}
    if any(METHODS[step.method].stage == "mask" for step in recipe.steps):
        asked = {"schedule": "gradual"} | asked
    known = settable(recovery(asked.get("recovery", "fine-tuning")))
    settings = {name: value for name, value in usual.items() if name in known} | dict(asked.get("settings", {}))
    return schedule_of(asked | {"settings": settings})


def final_epochs(context: Context) -> int:
    """Epochs that finalists are trained for."""
    return int(context.request.get("recovery_epochs") or FINAL_EPOCHS)


def _steps(recipe: Recipe, shapes: bool) -> list[Step]:
    for step in recipe.steps:
        method(step.method)
    check_order([step.method for step in recipe.steps])
    return [s for s in recipe.steps if reshapes(s.method) is shapes]


def configured(step: Step) -> Method:
    """A step's method with the settings that the recipe gives it. Raises BadRecipe for a setting it doesn't have."""
    plain: Any = method(step.method)
    known = {f.name for f in fields(plain)}
    for name in step.settings:
        if name not in known:
            raise BadRecipe(f"{step.method} has no setting {name!r}; it has {', '.join(sorted(known)) or 'none'}")
    made: Method = replace(plain, **step.settings)
    return made


def cost_of(context: Context, graph: Graph) -> Cost:
    """All costs of a network on the search's device; file bytes are counted by packing it."""
    workload = lower(graph, context.device.batch)
    if context.device.profiler:
        workload = replace(workload, program=program_for(graph, context.device))
    cost = context.cost_model.estimate(workload, context.device)
    size = Figure(float(packed_bytes(graph)), Source.COUNTED)
    return Cost({**cost.figures, "file_bytes": size}, cost.per_op)
