"""Schedules: one run per due time, whatever crashes, in the zone's own time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from db import schedules
from db.schedules import ScheduleRunRow
from db.searches import page
from service.due import BadRule, latest_due, next_due
from service.scheduler import Scheduler, run_due
from service.schedules import create_schedule, run_one_due
from service.schemas import BatchRequest, ScheduleRequest
from service.settings import Settings
from service.views import runs_document
from service.workspace import Workspace
from tests.service.helpers import toy_model, wait_for, work

ROOT = Path(__file__).parents[2]
START = datetime(2026, 1, 1, 12, 0, tzinfo=ZoneInfo("UTC")).timestamp()
HOUR_S = 3600.0
SCHEDULER = """
import sys
from service.scheduler import Scheduler
from service.settings import load_settings
from service.workspace import Workspace
scheduler = Scheduler(Workspace(load_settings()).database, now=lambda: float(sys.argv[1]), every_s=0.02)
scheduler.start()
print("started", flush=True)
scheduler.join()
"""


def hourly(workspace: Workspace, models: int = 1) -> str:
    """A schedule that is first due an hour after START, over `models` models and one budget."""
    names = [toy_model(workspace) for _ in range(models)]
    batch = BatchRequest(
        models=names,
        datasets=["digits"],
        devices=["cortex-m7-analytical"],
        budgets=[{"latency": "0.6x"}],
        evaluations=4,
    )
    with workspace.database.write() as session:
        return create_schedule(session, ScheduleRequest(cron="0 * * * *", batch=batch), now=START)


def runs_of(workspace: Workspace, schedule_id: str) -> list[ScheduleRunRow]:
    """Oldest first."""
    with workspace.database.read() as session:
        return list(schedules.runs(session, schedule_id))[::-1]


def test_a_due_schedule_is_run_once(workspace: Workspace) -> None:
    """Before the hour nothing; at the hour one batch with its searches; asked again, nothing more."""
    schedule_id = hourly(workspace, models=2)
    started = [run_due(workspace.database, START + seconds) for seconds in (10.0, HOUR_S, HOUR_S, HOUR_S + 60)]
    assert started == [0, 1, 0, 0]
    assert [run.due_at - START for run in runs_of(workspace, schedule_id)] == [HOUR_S]
    with workspace.database.read() as session:
        assert len(page(session, 10)) == 2


def test_many_schedulers_start_a_due_time_once(workspace: Workspace) -> None:
    """Eight at the same moment: one run."""
    schedule_id = hourly(workspace)
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: run_due(workspace.database, START + HOUR_S), range(8)))
    assert sum(started) == 1
    assert len(runs_of(workspace, schedule_id)) == 1


def test_a_scheduler_killed_between_due_times(settings: Settings, workspace: Workspace) -> None:
    """Two due times with a kill -9 between: two runs, no more, the second's results beside the first's."""
    schedule_id = hourly(workspace)
    for hour in (1, 2):
        command = [sys.executable, "-c", SCHEDULER, str(START + hour * HOUR_S)]
        environment = os.environ | settings.environment()
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE)
        wait_for(lambda wanted=hour: len(runs_of(workspace, schedule_id)) == wanted)
        process.send_signal(signal.SIGKILL)
        process.wait()
        work(workspace)
    run_due(workspace.database, START + 2 * HOUR_S)
    with workspace.database.read() as session:
        second, first = runs_document(session, schedules.get(session, schedule_id))
    assert (first["due_at"][11:16], second["due_at"][11:16]) == ("13:00", "14:00")
    assert second["results"][0]["previous"]["id"] == first["results"][0]["search"]["id"]
    assert second["results"][0]["search"]["outcome"] == "feasible"


def test_a_scheduler_killed_in_mid_run_leaves_nothing(workspace: Workspace) -> None:
    """The run, its batch and its searches are one transaction: broken off before its end, the due time is still due."""
    schedule_id = hourly(workspace)

    def killed() -> None:
        with workspace.database.write() as session:
            assert run_one_due(session, START + HOUR_S)
            raise SystemExit

    with pytest.raises(SystemExit):
        killed()
    assert runs_of(workspace, schedule_id) == []
    assert run_due(workspace.database, START + HOUR_S) == 1


def test_of_missed_due_times_the_latest_is_run(workspace: Workspace) -> None:
    """After five hours of silence there is one run, for the latest hour, and the next is due an hour later."""
    schedule_id = hourly(workspace)
    assert run_due(workspace.database, START + 5.5 * HOUR_S) == 1
    assert [run.due_at - START for run in runs_of(workspace, schedule_id)] == [5 * HOUR_S]
    with workspace.database.read() as session:
        assert schedules.get(session, schedule_id).next_run_at == START + 6 * HOUR_S


def test_a_run_that_can_t_be_made_says_why(workspace: Workspace) -> None:
    """A due time whose batch is refused by now is a run with the reason, and the schedule goes on."""
    schedule_id = hourly(workspace)
    with workspace.database.write() as session:
        row = schedules.get(session, schedule_id)
        row.request = row.request | {"devices": ["sold-out"]}
    run_due(workspace.database, START + HOUR_S)
    assert "sold-out" in runs_of(workspace, schedule_id)[0].error
    assert run_due(workspace.database, START + 2 * HOUR_S) == 1


def test_the_thread_starts_what_is_due(workspace: Workspace) -> None:
    """The scheduler of the service, with a clock of its own."""
    schedule_id = hourly(workspace)
    scheduler = Scheduler(workspace.database, now=lambda: START + HOUR_S, every_s=0.02)
    scheduler.start()
    wait_for(lambda: runs_of(workspace, schedule_id))
    scheduler.stop()
    assert not scheduler.is_alive()


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-03-29T00:00", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("2026-10-25T00:00", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ],
    ids=["the hour that isn't there", "the hour that is there twice"],
)
def test_changes_of_the_clock(after: str, due: list[str]) -> None:
    """02:30 every night in Paris: one run a night, in spring at the moment when the skipped hour ends."""
    zone = ZoneInfo("Europe/Paris")
    moment, found = datetime.fromisoformat(after).replace(tzinfo=zone).timestamp(), []
    for _ in due:
        moment = next_due("30 2 * * *", "Europe/Paris", moment)
        found.append(datetime.fromtimestamp(moment, zone).isoformat(timespec="minutes"))
    assert found == due


def test_the_latest_due_time_after_a_long_silence() -> None:
    """A year of missed minutes is stepped over at once."""
    now = START + 365 * 24 * HOUR_S + 42.0
    assert latest_due("* * * * *", "UTC", START, now) == now - 42.0
    assert latest_due("* * * * *", "UTC", START, START) == START


def test_a_rule_that_never_comes_is_refused() -> None:
    """Neither an impossible day nor an unknown zone."""
    with pytest.raises(BadRule, match="write minute"):
        next_due("0 0 31 2 *", "UTC", START)
    with pytest.raises(BadRule, match="Atlantis"):
        next_due("0 0 * * *", "Atlantis", START)
