"""A search from its request to its bundle, on a device whose costs are the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from methods.catalogue import UnknownMethod
from search import steps
from search.bundle import BadBundle
from search.candidates import Effort, compress, cost_of
from search.guide import build_guide
from search.prepare import variables_of
from search.problem import BadRecipe, Recipe, Step
from search.proofs import check, replay
from search.run import run_search
from tests.search.conftest import make_context


@pytest.fixture(scope="module")
def finished(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, list[Any]]:
    """One whole search: its outcome, its bundle, its trials."""
    folder, trials = tmp_path_factory.mktemp("search") / "bundle", []
    outcome = run_search(make_context(model_file, limits={"latency": "0.5x", "size": "0.3x"}), folder, trials.append)
    return outcome, folder, trials


def test_search_keeps_every_limit(finished: tuple[dict[str, Any], Path, list[Any]]) -> None:
    """Half the latency and a third of the bytes, at no more than three points of accuracy."""
    outcome, _, _ = finished
    assert outcome["outcome"] == "feasible"
    assert all(limit["kept"] for limit in outcome["limits"])
    before, after = outcome["untouched"]["quality"]["score"], outcome["compressed"]["quality"]["score"]
    assert after >= before - 0.03


def test_trials_start_with_the_untouched_model(finished: tuple[dict[str, Any], Path, list[Any]]) -> None:
    """Numbers are dense, every trial has a state and costs or an error, at least three are finalists."""
    outcome, _, trials = finished
    assert [t["number"] for t in trials] == list(range(12))
    assert trials[0]["recipe"] == {"steps": []}
    assert all(t["costs"] or t["error"] for t in trials)
    assert len(outcome["finalists"]) == 3


def test_bundle_proves_itself(finished: tuple[dict[str, Any], Path, list[Any]]) -> None:
    """Check agrees with every claim, and replay gives the same weights byte for byte."""
    _, folder, _ = finished
    assert check(folder)["ok"]
    assert replay(folder)["identical"]


def test_check_notices_a_changed_model(finished: tuple[dict[str, Any], Path, list[Any]], tmp_path: Path) -> None:
    """With the untouched model in place of the compressed one, several claims fail."""
    _, folder, _ = finished
    for source in folder.iterdir():
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / "model.fwm").write_bytes((folder / "untouched.fwm").read_bytes())
    report = check(tmp_path)
    failed = {row["name"] for row in report["checks"] if not row["ok"]}
    assert not report["ok"]
    assert {"content hashes", "parameters", "file bytes"} <= failed


def test_what_is_not_a_bundle_is_refused(tmp_path: Path) -> None:
    """The message names the file that is missing."""
    with pytest.raises(BadBundle, match=r"result\.json"):
        check(tmp_path)


def test_same_request_gives_the_same_trials(
    model_file: Path, finished: tuple[dict[str, Any], Path, list[Any]], tmp_path: Path
) -> None:
    """A second run agrees trial by trial, and in the chosen recipe."""
    outcome, _, trials = finished
    again: list[Any] = []
    context = make_context(model_file, limits={"latency": "0.5x", "size": "0.3x"})
    second = run_search(context, tmp_path / "bundle", again.append)
    assert json.dumps(again) == json.dumps(trials)
    assert second["compressed"]["recipe"] == outcome["compressed"]["recipe"]


def test_impossible_budget_is_refused_before_any_trial(model_file: Path, tmp_path: Path) -> None:
    """The outcome says infeasible, with the least that can be achieved; nothing is written."""
    trials: list[Any] = []
    outcome = run_search(make_context(model_file, limits={"latency": "0.001x"}), tmp_path / "b", trials.append)
    assert outcome["outcome"] == "infeasible"
    assert not trials
    assert outcome["least_achievable"]["latency"]["value"] > 0.001 * outcome["untouched"]["costs"]["latency_s"]["value"]
    assert not (tmp_path / "b").exists()


def test_known_sensitivities_are_not_measured_again(model_file: Path) -> None:
    """Rows given back are taken as they are; a new budget measures nothing."""
    first: list[Any] = []
    steps.prepare(make_context(model_file), [], first.append, lambda *_: None)
    second: list[Any] = []
    steps.prepare(make_context(model_file, limits={"latency": "0.4x"}), first, second.append, lambda *_: None)
    assert first
    assert second == []


def test_plans_start_from_what_the_untouched_model_counts_as(model_file: Path) -> None:
    """Its error bar is in the cost terms from the start; bytes are counted, and stay as they are."""
    context = make_context(model_file)
    variables, _ = variables_of(context)
    known = cost_of(context, context.graph).to_json()
    upper = {"latency_s": 1.3 * known["latency_s"]["value"], "file_bytes": known["file_bytes"]["value"]}
    forecast = build_guide(context, variables, {}, upper).terms.costs_of((0,) * len(variables))
    assert forecast == pytest.approx(upper, rel=1e-6)


@pytest.mark.parametrize(
    "limits", [{"energy": "0.5x"}, {"memory": "0.6x"}, {"macs": "0.4x"}, {"size": "0.1x"}], ids=lambda x: next(iter(x))
)
def test_every_kind_of_limit_can_be_kept(limits: dict[str, str], model_file: Path, tmp_path: Path) -> None:
    """Energy, memory, MACs and file bytes each bound a search of their own."""
    outcome = run_search(make_context(model_file, limits=limits, evaluations=10), tmp_path / "b")
    assert outcome["outcome"] == "feasible", outcome["reason"]
    (limit,) = outcome["limits"]
    assert limit["achieved"] <= limit["value"]


def test_methods_compose_in_one_recipe(model_file: Path) -> None:
    """Pruned, factorised, masked, shared and quantised at the same sites: smaller than with any one of them."""
    context = make_context(model_file, limits={"size": "0.5x"})
    tried = {name: m for name, m in context.methods.items() if "size" in m.helps}
    spaces = {name: m.space(context.graph, context.device).sites for name, m in tried.items()}
    steps_ = [Step(n, {s: v[len(v) // 2] for s, v in sites.items()}) for n, sites in spaces.items() if sites]
    sizes = [cost_of(context, compress(context, Recipe((s,)), Effort.NONE))["file_bytes"].value for s in steps_]
    together = compress(context, Recipe(tuple(steps_)), Effort.CHEAP)
    together.check()
    assert len(steps_) == 5
    assert cost_of(context, together)["file_bytes"].value < min(sizes)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Step("magic", {}), "there is no method"),
        (Step("low-rank", {}, {"colour": 3}), "has no setting"),
        (Step("low-rank", {"weight:nowhere": 0.5}), "nowhere"),
    ],
    ids=["method", "setting", "site"],
)
def test_impossible_recipes_are_named(step: Step, says: str, model_file: Path) -> None:
    """An unknown method, setting or site is an error that names it."""
    context = make_context(model_file)
    if says == "nowhere":
        trial = {"number": 1, "recipe": Recipe((step,)).to_json()}
        prepared = {"limits": [], "reference": {"quality": {"score": 1.0}}}
        result = steps.evaluate(context, prepared, trial)
        assert result["state"] == "failed"
        assert says in result["error"]
    else:
        with pytest.raises((BadRecipe, UnknownMethod), match=says):
            compress(context, Recipe((step,)), Effort.NONE)
