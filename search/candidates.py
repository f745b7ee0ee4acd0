"""A recipe becomes a network: shapes first, then what they cost in accuracy is won back, then forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import StrEnum
from typing import Any

from hwmodels.base import Cost, Figure, Source
from methods.base import Method
from methods.catalogue import METHODS, method
from methods.graph.file import packed_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.onnx_out.export import export
from methods.graph.sites import surviving
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.least_squares import LeastSquares
from search.context import Context
from search.problem import BadRecipe, Recipe, Step

SHAPES = ("channel-pruning", "low-rank", "block-removal")
"""Methods that change shapes; the others give the weights that are left another form."""

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

    Raises BadRecipe for an unknown method, and what the methods raise for choices that can't be carried out.
    """
    graph = shaped(context, recipe, recover=effort is not Effort.NONE)
    if effort in (Effort.TRIAL, Effort.FINAL):
        graph = trained(context, graph, recipe, TRIAL_EPOCHS if effort is Effort.TRIAL else final_epochs(context))
    forms = _steps(recipe, shapes=False)
    graph = _apply(context, graph, forms)
    if forms and effort is Effort.FINAL:
        return _fine_tune(context, graph, max(1, final_epochs(context) // 2), 2, FORM_RATE)
    return graph


def shaped(context: Context, recipe: Recipe, recover: bool) -> Graph:
    """Shapes alone, with what least squares wins back. It moves batch means too; recalibrating after it lost accuracy
    at a quarter of the channels (0.82 to 0.73 on the digits network)."""
    steps = _steps(recipe, shapes=True)
    graph = _apply(context, context.graph, steps)
    if not steps or not recover:
        return graph
    return LeastSquares().recover(graph, context.graph, context.calibration, context.seed)


def trained(context: Context, graph: Graph, recipe: Recipe, epochs: int) -> Graph:
    """A shaped network after fine-tuning with the original as teacher; untouched shapes need none."""
    return _fine_tune(context, graph, epochs, 1, 1e-3) if _steps(recipe, shapes=True) else graph


def formed(context: Context, graph: Graph, recipe: Recipe) -> Graph:
    """A shaped network with the recipe's forms put on its weights."""
    return _apply(context, graph, _steps(recipe, shapes=False))


def final_epochs(context: Context) -> int:
    """Epochs that finalists are trained for."""
    return int(context.request.get("recovery_epochs") or FINAL_EPOCHS)


def _steps(recipe: Recipe, shapes: bool) -> list[Step]:
    order = list(METHODS)
    for step in recipe.steps:
        if step.method not in METHODS:
            raise BadRecipe(f"there is no method {step.method!r}; there are {', '.join(order)}")
    return sorted((s for s in recipe.steps if (s.method in SHAPES) is shapes), key=lambda s: order.index(s.method))


def _apply(context: Context, graph: Graph, steps: Sequence[Step]) -> Graph:
    for step in steps:
        choices = surviving(step.choices, graph, context.graph)
        graph = configured(step).apply(graph, choices, context.calibration)
    return graph


def configured(step: Step) -> Method:
    """A step's method with the settings that the recipe gives it. Raises BadRecipe for a setting it doesn't have."""
    plain: Any = method(step.method)
    known = {f.name for f in fields(plain)}
    for name in step.settings:
        if name not in known:
            raise BadRecipe(f"{step.method} has no setting {name!r}; it has {', '.join(sorted(known)) or 'none'}")
    made: Method = replace(plain, **step.settings)
    return made


def _fine_tune(context: Context, graph: Graph, epochs: int, stage: int, rate: float) -> Graph:
    tuning = FineTuning(epochs=epochs, learning_rate=rate)
    return tuning.recover(graph, context.graph, context.splits.train, context.seed * 1000 + stage)


def cost_of(context: Context, graph: Graph) -> Cost:
    """All costs of a network on the search's device; file bytes are counted by packing it."""
    workload = lower(graph, context.device.batch)
    if context.device.profiler:
        workload = replace(workload, program=export(graph))
    cost = context.cost_model.estimate(workload, context.device)
    size = Figure(float(packed_bytes(graph)), Source.COUNTED)
    return Cost({**cost.figures, "file_bytes": size}, cost.per_op)
