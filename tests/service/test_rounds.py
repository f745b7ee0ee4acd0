"""A search whose finalists break a limit once they are measured goes on, whoever works on it and whatever is killed."""

from __future__ import annotations

import random
import time

from service.worker import Worker, free_tasks_of_dead
from service.workspace import Workspace
from tests.service import toy_steps
from tests.service.helpers import (
    events_of,
    row_of,
    toy_model,
    toy_search,
    trials_of,
    wait_for,
    work,
    worker_process,
)


def test_a_broken_limit_sends_the_search_on(workspace: Workspace) -> None:
    """From finishing back to searching with the reason, half as many trials more, and then it fits."""
    search_id = toy_search(workspace, name="measures slower", evaluations=12)
    work(workspace)
    told = [data for kind, data in events_of(workspace, search_id) if kind == "state"]
    states = ["queued", "preparing", "searching", "finishing", "searching", "finishing", "succeeded"]
    assert [data["state"] for data in told] == states
    assert "slower than estimated; the search went on with latency at most" in told[4]["reason"]
    assert [t["number"] for t in trials_of(workspace, search_id)] == list(range(18))
    assert row_of(workspace, search_id).outcome == "feasible"


def test_a_search_goes_on_twice_at_most(workspace: Workspace) -> None:
    """Where nothing ever comes to what was estimated, it ends undecided, and no finalist was finished twice."""
    search_id = toy_search(workspace, name="never fast enough", evaluations=40)
    work(workspace)
    row = row_of(workspace, search_id)
    assert row.outcome == "undecided"
    finished = [data["trial"] for kind, data in events_of(workspace, search_id) if kind == "finalist"]
    assert len(finished) == len(set(finished))
    assert row.prepared is not None
    assert len(row.prepared["rounds"]) == 2


def test_workers_that_remember_take_up_the_new_limits(workspace: Workspace) -> None:
    """Two workers in turn, each with what it knows of the search, make the trials that one alone does."""
    alone = toy_search(workspace, name="measures slower", evaluations=12)
    work(workspace)
    search_id = toy_search(workspace, name="measures slower", evaluations=12)
    workers = [Worker(workspace, toy_steps) for _ in range(2)]
    while any([worker.step() for worker in workers]):
        pass
    assert trials_of(workspace, search_id) == trials_of(workspace, alone)
    assert len(trials_of(workspace, search_id)) == 18


def test_killed_in_any_round_it_ends_the_same(workspace: Workspace) -> None:
    """Workers killed at random moments before, between and in the rounds: the same trials, the same outcome."""
    quiet = toy_search(workspace, name="measures slower", evaluations=12)
    work(workspace)
    search_id = toy_search(workspace, toy_model(workspace), name="measures slower", evaluations=12)
    moments = random.Random(0)
    for _ in range(6):
        before = len(events_of(workspace, search_id))
        with worker_process(workspace.settings, delay_s=0.05) as process:
            wait_for(lambda seen=before: len(events_of(workspace, search_id)) > seen + 12)
            time.sleep(moments.uniform(0.0, 0.1))
            process.kill()
            process.wait()
        free_tasks_of_dead(workspace)
        if "searching" in [d["state"] for k, d in events_of(workspace, search_id) if k == "state"][3:]:
            break
    work(workspace)
    assert trials_of(workspace, search_id) == trials_of(workspace, quiet)
    ends = [row_of(workspace, each).result or {} for each in (search_id, quiet)]
    assert ends[0] | {"bundle": ""} == ends[1] | {"bundle": ""}
