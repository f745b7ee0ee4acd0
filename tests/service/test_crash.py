"""Real worker processes, killed, stopped and cancelled at any moment: nothing that was committed is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from db.queue import MAX_ATTEMPTS
from service.executors.local import LocalExecutor
from service.identity import is_dead, own_name
from service.lifecycle import cancel
from service.settings import Settings
from service.worker import free_tasks_of_dead
from service.workspace import Workspace
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

ROOT = Path(__file__).parents[2]
TOY = (sys.executable, "-m", "tests.service.toy_steps")


def test_a_killed_search_ends_like_an_undisturbed_one(workspace: Workspace) -> None:
    """Workers killed at random moments, five times: afterwards the trials are the same, each there once."""
    model = toy_model(workspace)
    quiet = toy_search(workspace, model, evaluations=30, seed=1)
    work(workspace)
    search_id = toy_search(workspace, toy_model(workspace), evaluations=30, seed=1)
    moments = random.Random(0)
    for _ in range(5):
        before = len(events_of(workspace, search_id))
        with worker_process(workspace.settings, delay_s=0.1) as process:
            wait_for(lambda seen=before: len(events_of(workspace, search_id)) > seen + 2)
            time.sleep(moments.uniform(0.0, 0.3))
            process.kill()
        free_tasks_of_dead(workspace)
    assert row_of(workspace, search_id).state not in ("queued", "succeeded")
    work(workspace)
    assert trials_of(workspace, search_id) == trials_of(workspace, quiet)
    result, expected = row_of(workspace, search_id).result, row_of(workspace, quiet).result
    assert result is not None
    assert expected is not None
    assert result | {"bundle": ""} == expected | {"bundle": ""}


def test_a_trial_that_kills_its_workers_is_given_up(workspace: Workspace) -> None:
    """Three workers die of it; then it has failed, with that reason, and the search goes on."""
    search_id = toy_search(workspace, name="deadly", evaluations=4)
    for _ in range(MAX_ATTEMPTS):
        with worker_process(workspace.settings) as process:
            assert process.wait(60) == -signal.SIGKILL
        free_tasks_of_dead(workspace)
    work(workspace)
    failed = [(t["number"], t["error"]) for t in trials_of(workspace, search_id) if t["state"] == "failed"]
    assert failed == [(1, "given up: 3 workers died of it")]
    assert row_of(workspace, search_id).state == "succeeded"


def test_a_worker_that_comes_back_too_late_changes_nothing(workspace: Workspace) -> None:
    """Stopped past its lease and then continued, it finds its result refused and goes on living."""
    quiet = toy_search(workspace, evaluations=8)
    work(workspace)
    search_id = toy_search(workspace, toy_model(workspace), evaluations=8)
    with worker_process(workspace.settings, delay_s=0.1) as process:
        wait_for(lambda: "running" in {t["state"] for t in trials_of(workspace, search_id)})
        time.sleep(0.03)
        process.send_signal(signal.SIGSTOP)
        wait_for(lambda: work(workspace) or row_of(workspace, search_id).over)
        process.send_signal(signal.SIGCONT)
        time.sleep(1.0)
        assert process.poll() is None
    assert trials_of(workspace, search_id) == trials_of(workspace, quiet)


def test_work_that_doesn_t_stop_is_ended(workspace: Workspace) -> None:
    """A cancelled search whose evaluation sits in one long call: its worker ends itself, and it is cancelled."""
    search_id = toy_search(workspace, name="stubborn")
    with worker_process(workspace.settings) as process:
        wait_for(lambda: "running" in {t["state"] for t in trials_of(workspace, search_id)})
        time.sleep(0.5)
        with workspace.database.write() as session:
            cancel(session, search_id)
        wait_for(lambda: row_of(workspace, search_id).state == "cancelled")
        assert process.wait(60) == -signal.SIGKILL


def test_the_executor_keeps_its_workers_running(settings: Settings, workspace: Workspace) -> None:
    """A worker that is killed is replaced, what it held is taken up at once, and at the end none is left."""
    executor = LocalExecutor(settings.model_copy(update={"workers": 2, "lease_s": 600.0}), TOY)
    executor.start()
    wait_for(lambda: len(executor.pids) == 2)
    search_id = toy_search(workspace, evaluations=12)
    wait_for(lambda: trials_of(workspace, search_id))
    first = executor.pids
    os.kill(first[0], signal.SIGKILL)
    wait_for(lambda: row_of(workspace, search_id).over)
    wait_for(lambda: len(executor.pids) == 2)
    last = executor.pids
    executor.stop()
    assert row_of(workspace, search_id).outcome == "feasible"
    assert first[0] not in last
    assert not any(Path(f"/proc/{pid}").exists() for pid in first + last)


def test_workers_die_with_the_service(settings: Settings) -> None:
    """After kill -9 of the process that started them, no worker is left behind."""
    code = (
        "import sys, time; from service.executors.local import LocalExecutor; "
        "from service.settings import load_settings; "
        f"executor = LocalExecutor(load_settings(workers=2), {TOY!r}); executor.start(); "
        "time.sleep(3); print(*executor.pids, flush=True); time.sleep(600)"
    )
    environment = os.environ | settings.environment()
    service = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT, stdout=subprocess.PIPE)
    assert service.stdout is not None
    pids = [int(pid) for pid in service.stdout.readline().split()]
    service.kill()
    service.wait()
    assert len(pids) == 2
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_names_tell_whether_a_worker_is_dead() -> None:
    """Only a process that surely is gone counts as dead: not this one, not one of another machine."""
    name = own_name()
    machine, pid, _ = name.split("/")
    assert not is_dead(name)
    assert is_dead(f"{machine}/{pid}/1")
    assert not is_dead(f"elsewhere-00000000/{pid}/1")
