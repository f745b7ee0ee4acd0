"""The worker: a search from its request to its bundle, and everything that can go wrong on the way."""

from __future__ import annotations

import json

import pytest

from db import searches
from db.searches import SearchState
from service.lifecycle import cancel
from service.records import plain
from service.worker import Worker
from service.workspace import Workspace
from tests.service import toy_steps
from tests.service.helpers import (
    events_of,
    files_of,
    row_of,
    toy_model,
    toy_search,
    trials_of,
    work,
)


def test_a_search_ends_with_its_bundle(workspace: Workspace) -> None:
    """From queued to succeeded: all trials done, the outcome stored, the files kept, the finalists tidied away."""
    search_id = toy_search(workspace)
    work(workspace)
    row = row_of(workspace, search_id)
    assert (row.state, row.outcome) == ("succeeded", "feasible")
    assert [t["number"] for t in trials_of(workspace, search_id)] == list(range(10))
    assert files_of(workspace, search_id) == ["bundle.zip", "model.fwm", "recipe.json"]
    assert [p.name for p in workspace.search_folder(search_id).iterdir()] == ["bundle"]


def test_watchers_see_the_whole_story(workspace: Workspace) -> None:
    """States in order, one event per trial, progress up to the end, the best with the highest score."""
    search_id = toy_search(workspace)
    work(workspace)
    told = events_of(workspace, search_id)
    states = [data["state"] for kind, data in told if kind == "state"]
    assert states == ["queued", "preparing", "searching", "finishing", "succeeded"]
    assert sorted(data["number"] for kind, data in told if kind == "trial") == list(range(10))
    assert [data for kind, data in told if kind == "progress"][-1]["done"] == 4
    done = [t["quality"]["score"] for t in trials_of(workspace, search_id) if t["state"] == "done"]
    assert [data for kind, data in told if kind == "best"][-1]["quality"]["score"] == max(done)


def test_an_impossible_budget_ends_before_any_trial(workspace: Workspace) -> None:
    """The preflight's no is the outcome: infeasible, with the least that can be reached, and the search succeeded."""
    search_id = toy_search(workspace, limits={"latency": "0.1x"})
    work(workspace)
    row = row_of(workspace, search_id)
    assert (row.state, row.outcome, trials_of(workspace, search_id)) == ("succeeded", "infeasible", [])
    assert row.result is not None
    assert row.result["least_achievable"]["latency"]["value"] == 0.25


def test_sensitivities_are_measured_once(workspace: Workspace) -> None:
    """A second search over the same model, data and seed finds them there, whatever its device and limits."""
    model = toy_model(workspace)
    toy_search(workspace, model)
    work(workspace)
    second = toy_search(workspace, model, device="eyeriss-analytical", limits={"latency": "0.9x"})
    measured: list[object] = []

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(toy_steps, name)

        def prepare(self, ctx: object, known: list[object], on_sensitivity: object, on_progress: object) -> object:
            return toy_steps.prepare(ctx, known, measured.append, on_progress)  # type: ignore[arg-type]

    worker = Worker(workspace, Counting())  # type: ignore[arg-type]
    while worker.step():
        pass
    assert measured == []
    assert row_of(workspace, second).state == "succeeded"


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ("told error", "no figure for conv of 7x7"),
        ("unexpected error", "internal: an unexpected error, which the service's log tells in full"),
    ],
)
def test_a_trial_that_fails_is_a_trial(workspace: Workspace, spoil: str, error: str) -> None:
    """The search goes on without it; a reason meant for users is told, any other stays in the log."""
    search_id = toy_search(workspace, name=spoil)
    work(workspace)
    failed = [t for t in trials_of(workspace, search_id) if t["state"] == "failed"]
    assert [(t["number"], t["error"]) for t in failed] == [(1, error)]
    assert row_of(workspace, search_id).outcome == "feasible"


def test_figures_that_are_no_numbers_fail_the_trial(workspace: Workspace) -> None:
    """NaN is no score: such trials fail, nothing is left to finish, and the outcome says undecided."""
    search_id = toy_search(workspace, name="not a number")
    work(workspace)
    assert {t["state"] for t in trials_of(workspace, search_id)} == {"failed"}
    assert row_of(workspace, search_id).outcome == "undecided"


def test_bad_data_fails_the_search_with_the_message(workspace: Workspace) -> None:
    """What the search says about the data is what the user reads."""
    search_id = toy_search(workspace, name="bad data")
    work(workspace)
    row = row_of(workspace, search_id)
    assert (row.state, row.state_reason) == ("failed", "samples are [3] but the model takes [4]")


def test_a_full_disk_fails_the_search_and_leaves_no_bundle(workspace: Workspace) -> None:
    """The reason names the folder to free space in; there are no files and no half bundle."""
    search_id = toy_search(workspace, name="disk full")
    work(workspace)
    row = row_of(workspace, search_id)
    assert row.state == "failed"
    assert row.state_reason.startswith("the disk is full: free space in ")
    assert files_of(workspace, search_id) == []
    assert list(workspace.search_folder(search_id).iterdir()) == []


def test_one_failed_finalist_doesn_t_spoil_the_others(workspace: Workspace) -> None:
    """The winner comes from those that were finished."""
    search_id = toy_search(workspace, name="one finalist fails", evaluations=20)
    work(workspace)
    row = row_of(workspace, search_id)
    assert row.result is not None
    assert (row.outcome, row.result["compressed"]["trial"] % 2) == ("feasible", 0)


def test_cancelling_drops_what_is_queued(workspace: Workspace) -> None:
    """With nothing running, a cancelled search is over at once, and workers find nothing to do."""
    search_id = toy_search(workspace)
    worker = Worker(workspace, toy_steps)
    for _ in range(4):
        worker.step()
    with workspace.database.write() as session:
        cancel(session, search_id)
    assert row_of(workspace, search_id).state == "cancelled"
    assert not worker.step()


def test_a_result_for_a_cancelled_search_is_discarded(workspace: Workspace) -> None:
    """What was running when the search was cancelled ends it when it's done, and leaves no trial."""
    search_id = toy_search(workspace)

    class Cancelling:
        def __getattr__(self, name: str) -> object:
            return getattr(toy_steps, name)

        def evaluate(self, ctx: object, prepared: object, trial: object) -> object:
            with workspace.database.write() as session:
                assert cancel(session, search_id).state == SearchState.CANCELLING
            return toy_steps.evaluate(ctx, prepared, trial)  # type: ignore[arg-type]

    worker = Worker(workspace, Cancelling())  # type: ignore[arg-type]
    while worker.step():
        pass
    assert row_of(workspace, search_id).state == "cancelled"
    assert "done" not in {t["state"] for t in trials_of(workspace, search_id)}


def test_the_same_request_gives_the_same_trials(workspace: Workspace) -> None:
    """Two searches with one seed are equal, trial by trial."""
    model = toy_model(workspace)
    first, second = toy_search(workspace, model), toy_search(workspace, model)
    work(workspace)
    assert trials_of(workspace, first) == trials_of(workspace, second)


def test_documents_hold_only_what_json_can() -> None:
    """NaN and infinity become null at any depth, names become text, tuples lists."""
    document = plain({"a": [1.5, float("nan")], 2: ({"b": float("inf")}, "x")})
    assert document == {"a": [1.5, None], "2": [{"b": None}, "x"]}
    json.dumps(document, allow_nan=False)


def test_searches_are_found_in_pages(workspace: Workspace) -> None:
    """Newest first, each once, whatever the page size."""
    model = toy_model(workspace)
    ids = [toy_search(workspace, model) for _ in range(5)]
    with workspace.database.read() as session:
        first = [row.id for row in searches.page(session, 2)]
        rest = [row.id for row in searches.page(session, 10, before=first[-1])]
    assert first + rest == ids[::-1]
