"""Recipes as people write them: patterns of sites, published names, an order that holds, training that there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from hwmodels.catalogue import DEVICES
from methods.base import Data, MethodError
from methods.catalogue import METHODS, WrongOrder, check_order
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.surgery.edit import difference
from methods.importance.catalogue import IMPORTANCES
from methods.published.catalogue import PUBLISHED
from methods.published.row import Published
from methods.recovery.catalogue import RECOVERIES, SCHEDULES, schedule_of
from search import steps
from search.candidates import Effort, compress, configured
from search.context import Context
from search.problem import BadRecipe, Recipe, Step
from search.recipes import expanded
from search.run import run_search
from search.target import FormTarget
from tests.search.conftest import ANALYTICAL, make_context
from tests.zoo.catalogue import network

EVERY_SYSTEM = pytest.mark.parametrize("row", PUBLISHED.values(), ids=lambda row: row.id)


@pytest.fixture(scope="module")
def context(model_file: Path) -> Context:
    """The digits network on a device that computes in fp32 and int8."""
    return make_context(model_file, limits={"size": "1x"})


def asked(context: Context, *listed: dict[str, Any], **more: Any) -> Recipe:
    """What a document with these steps comes to."""
    return expanded({"steps": list(listed)} | more, context.graph, context.device)


def test_a_pattern_stands_for_the_sites_that_are_like_it(context: Context) -> None:
    """Each gets the value; what comes later in the step overrides what came before."""
    recipe = asked(context, {"method": "sparsity", "choices": {"weight:*": 0.5, "weight:conv1": 0.9}})
    sites = {use.site for use in context.graph.weight_uses()}
    assert dict(recipe.steps[0].choices) == dict.fromkeys(sites, 0.5) | {"weight:conv1": 0.9}


def test_a_published_name_becomes_its_parts(context: Context) -> None:
    """With its training, and another value for one of its methods where that is asked for."""
    recipe = asked(context, {"method": "deep-compression", "settings": {"weight-sharing": 3}})
    assert [step.method for step in recipe.steps] == ["sparsity", "weight-sharing"]
    assert set(recipe.steps[1].choices.values()) == {3}
    assert recipe.training["schedule"] == "gradual"


@EVERY_SYSTEM
def test_every_published_system_can_be_carried_out(row: Published) -> None:
    """On a small residual network, which has what each of them needs; its names are those of the catalogues."""
    assert {part.method for part in row.parts} <= set(METHODS)
    assert not row.importance or row.importance in IMPORTANCES
    assert not row.recovery or row.recovery in RECOVERIES
    assert not row.schedule or row.schedule in SCHEDULES
    graph = capture(*network("residual"))
    data = Data(graph.example(16), torch.arange(16) % 5)
    recipe = expanded({"steps": [{"method": row.id}]}, graph, DEVICES[ANALYTICAL])
    schedule_of(recipe.training)
    made = FormTarget([(configured(s), s.choices) for s in recipe.steps], graph, data).apply(graph)
    made.check()
    assert difference(graph, made, data.inputs) > 0


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"method": "deep-compresion"}, "did you mean deep-compression"),
        ({"method": "sparsity"}, "sparsity has no choices"),
        ({"method": "sparsity", "choices": {"weight:nothing*": 0.5}}, "no site of this model is like"),
        ({"method": "sparsity", "choices": {"weight:*": 0.5}, "settings": {"colour": 1}}, "has no setting 'colour'"),
        ({"method": "twn", "settings": {"sparsity": 0.5}}, "takes settings for its methods .ternary."),
        ({"method": "twn", "choices": {"weight:*": "twn"}}, "write its steps out"),
    ],
)
def test_what_can_not_be_is_named(document: dict[str, Any], words: str, context: Context) -> None:
    """With what would be right."""
    with pytest.raises(BadRecipe, match=words):
        asked(context, document)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("quantization", "channel-pruning"), "channel-pruning can't come after quantization: quantization rounds"),
        (("sparsity", "low-rank"), "low-rank can't come after sparsity: sparsity holds weights at zero"),
        (("low-rank", "tucker-2"), "methods of one kind stand in the order depthwise-separable, separable, tucker-2"),
        (("sparsity", "sparsity"), "sparsity stands twice"),
    ],
)
def test_an_order_that_can_not_be_is_refused_with_the_reason(names: tuple[str, ...], words: str) -> None:
    """The message says which of the two has to come first, and why."""
    with pytest.raises(WrongOrder, match=words):
        check_order(names)


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"schedule": "sudden"}, "no schedule 'sudden'; there are one-shot"),
        ({"recovery": "rest"}, "no recovery 'rest'; there are"),
        ({"settings": {"colour": 3}}, "no setting 'colour'"),
    ],
)
def test_training_that_there_is_not_is_named(training: dict[str, Any], words: str, context: Context) -> None:
    """Before anything is computed."""
    with pytest.raises(MethodError, match=words):
        asked(context, {"method": "twn"}, training=training)


def test_a_recipe_survives_json() -> None:
    """With settings and training; without them it is as short as before."""
    training = {"schedule": "admm", "settings": {"rho": 0.01}}
    document = {"steps": [{"method": "sparsity", "choices": {"weight:a": "2:4"}, "settings": {"ranking": "global"}}]}
    assert Recipe.from_json(document | {"training": training}).to_json() == document | {"training": training}
    assert Recipe.from_json(document).to_json() == document


def test_a_given_recipe_is_carried_out_and_nothing_else(model_file: Path, tmp_path: Path) -> None:
    """One trial, one finalist, a bundle that keeps its limits: the file is a sixth of what it was."""
    recipe = {"steps": [{"method": "deep-compression"}], "training": {"schedule": "gradual"}}
    context = make_context(model_file, limits={"size": "0.3x"}, recipe=recipe, recovery_epochs=3)
    trials: list[Any] = []
    outcome = run_search(context, tmp_path / "bundle", trials.append)
    assert outcome["outcome"] == "feasible"
    assert [trial["origin"] for trial in trials] == ["given"]
    assert [step["method"] for step in outcome["compressed"]["recipe"]["steps"]] == ["sparsity", "weight-sharing"]
    assert outcome["limits"][0]["achieved"] < 0.3 * outcome["untouched"]["costs"]["file_bytes"]["value"]
    assert any("storage only" in flag for flag in outcome["flags"])
    assert steps.next_recipes({"given": recipe}, [], [{"number": 0}]) == []


def test_plans_gain_nothing_by_factorising_twice(context: Context) -> None:
    """A layer takes one factorisation: a second one changes no operator, and is refused where it is carried out."""
    ops = lower(context.graph, dims=True).ops
    site = next(use.site for use in context.graph.weight_uses() if context.graph.tensor(use.weight).dim() == 4)
    once = [o for op in ops for o in METHODS["tucker-2"].rewrite(op, {site: 0.5})]
    assert len(once) == len(ops) + 2
    assert [o for op in once for o in METHODS["low-rank"].rewrite(op, {site: 0.25})] == once
    both = Recipe((Step("tucker-2", {site: 0.5}), Step("low-rank", {site: 0.25})))
    with pytest.raises(MethodError, match="a layer takes one factorisation"):
        compress(context, both, Effort.NONE)
