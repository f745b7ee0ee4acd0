"""One recipe evaluated, the cheapest question first: does it fit, is it fast enough, is it good enough, then dearer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.base import HardwareModelError
from methods.base import MethodError
from methods.graph.ir import Graph, GraphError
from search.candidates import TRIAL_EPOCHS, Effort, compress, cost_of, formed, settled_in, shaped, trained
from search.context import Context
from search.judging import over
from search.problem import Recipe, SearchError, TrialState
from search.rounds import held

KNOWN = (SearchError, MethodError, GraphError, HardwareModelError)
"""What can go wrong with one recipe; the trial fails with the message and the search goes on."""

HOPELESS = 0.25
"""A candidate that keeps less than this share of the original's score before training is not trained."""
BENT = 0.99
"""Forms that leave less than this share of the score of the shapes under them are trained as well."""

SLACK = {"file_bytes": 1.1}
"""Entropy-coded sizes are known only after training; before it, this much over the limit is let through."""


def evaluate(context: Context, prepared: Mapping[str, Any], trial: Mapping[str, Any]) -> dict[str, Any]:
    """The trial with its state, costs, quality or error filled in. Deterministic for a given table and seed."""
    recipe, limits = Recipe.from_json(trial["recipe"]), held(prepared)
    result = {**trial, "costs": {}, "quality": {}, "error": ""}
    try:
        rough = cost_of(context, compress(context, recipe, Effort.NONE)).to_json()
        if over(rough, limits, SLACK):
            return {**result, "state": TrialState.INFEASIBLE.value, "costs": rough}
        graph = _recovered(context, prepared, recipe)
        costs = cost_of(context, graph).to_json()
        state = TrialState.INFEASIBLE if over(costs, limits) else TrialState.DONE
        return {**result, "state": state.value, "costs": costs, "quality": context.quality(graph, "reward")}
    except KNOWN as error:
        return {**result, "state": TrialState.FAILED.value, "error": str(error)}


def _recovered(context: Context, prepared: Mapping[str, Any], recipe: Recipe) -> Graph:
    """The network after cheap recovery, and after a short training where that is worth it."""
    shape = shaped(context, recipe, recover=True)
    graph = formed(context, shape, recipe)
    before = float(prepared["reference"]["quality"]["score"])
    if context.quality(graph, "reward")["score"] < HOPELESS * before:
        return graph
    tuned = trained(context, shape, recipe, TRIAL_EPOCHS)
    graph = graph if tuned is shape else formed(context, tuned, recipe)
    if graph is tuned or context.quality(graph, "reward")["score"] >= BENT * context.quality(tuned, "reward")["score"]:
        return graph
    return settled_in(context, graph, recipe, TRIAL_EPOCHS)
