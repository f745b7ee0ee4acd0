"""Profile jobs: asked for, refused, worked on by real workers with the real runtime, resumed after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from db import measurements, profile_jobs
from db.measurements import MeasurementRow
from db.profile_jobs import ProfileJobRow
from service.app import create_app
from service.profiling import create_job
from service.settings import Settings
from service.worker import Worker
from service.workspace import Workspace
from tests.service import toy_steps
from tests.service.helpers import NoExecutor, toy_search, wait_for, work, worker_process

BASE = "http://127.0.0.1:8077"
LOCAL = "local-onnxruntime"


@pytest.fixture
def idle(settings: Settings) -> Iterator[TestClient]:
    """The app with nobody working."""
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


def ask(workspace: Workspace, **changes: Any) -> str:
    """A queued job over a few tiny networks."""
    with workspace.database.write() as session:
        return create_job(session, {"device": LOCAL, "networks": 4, "refresh": False} | changes)


def job_of(workspace: Workspace, job_id: str) -> ProfileJobRow:
    with workspace.database.read() as session:
        return profile_jobs.get(session, job_id)


def rows_of(workspace: Workspace) -> dict[tuple[str, str], int]:
    """(table, key) -> id of every row that was ever measured."""
    with workspace.database.read() as session:
        return {(row.device_key, row.key): row.id for row in session.scalars(select(MeasurementRow))}


def test_a_job_is_accepted_shown_and_cancelled(idle: TestClient) -> None:
    """202 with a Location; a second one of the device has to wait; cancelling twice is fine."""
    made = idle.post("/v1/profile-jobs", json={"device": LOCAL, "networks": 4})
    address = made.headers["Location"]
    assert (made.status_code, address) == (202, f"/v1/profile-jobs/{made.json()['id']}")
    second = idle.post("/v1/profile-jobs", json={"device": LOCAL})
    assert (second.status_code, made.json()["id"] in second.json()["detail"]) == (409, True)
    assert idle.post("/v1/profile-jobs", json={"device": f"{LOCAL}@threads=2"}).status_code == 202
    for _ in range(2):
        cancelled = idle.post(f"{address}:cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")
    assert [j["id"] for j in idle.get(f"/v1/profile-jobs?device={LOCAL}").json()["items"]] == [made.json()["id"]]


def test_a_job_sent_twice_is_one(idle: TestClient) -> None:
    """With the same Idempotency-Key the second answer names the first job."""
    body, key = {"device": LOCAL}, {"Idempotency-Key": "once"}
    first, second = (idle.post("/v1/profile-jobs", json=body, headers=key) for _ in range(2))
    assert (first.json()["id"], second.status_code) == (second.json()["id"], 202)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"device": "local-onx"}, "#/device", "or local-onnxruntime"),
        ({"device": f"{LOCAL}@batch=none"}, "#/device", "whole number from 1"),
        ({"device": "eyeriss-analytical"}, "#/device", "nothing can be timed on it"),
        ({"device": LOCAL, "networks": 2}, "#/networks", "greater"),
        ({"device": LOCAL, "refresh": "yes"}, "#/refresh", "boolean"),
        ({"device": LOCAL, "networsk": 4}, "#/networsk", "no such field"),
    ],
)
def test_what_cant_be_profiled(idle: TestClient, body: Any, pointer: str, words: str) -> None:
    """Each fault is pointed at, with the remedy."""
    refused = idle.post("/v1/profile-jobs", json=body)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert words in refused.json()["errors"][0]["detail"]


def test_searches_come_first(workspace: Workspace) -> None:
    """A worker takes up a profile job only when no search has a task, and one kept to a search never does."""
    job_id, search_id = ask(workspace), toy_search(workspace)
    kept = Worker(workspace, toy_steps, search_id=search_id)
    while kept.step():
        assert job_of(workspace, job_id).state == "queued"
    assert job_of(workspace, job_id).state == "queued"


def test_a_table_is_measured_then_checked_then_measured_anew(workspace: Workspace) -> None:
    """The first job calibrates the table, a second one checks it for drift, a refresh begins a new generation."""
    first, table = finished(workspace, ask(workspace))
    assert (first["task"], first["calibration"]["networks"]) == ("profile", 4)
    assert calibrated(workspace, table)
    before = rows_of(workspace)
    second, same = finished(workspace, ask(workspace))
    assert (second["task"], same, rows_of(workspace)) == ("check", table, before)
    third, anew = finished(workspace, ask(workspace, refresh=True, networks=3))
    assert (third["task"], anew) == ("profile", f"{table} | #2")
    assert calibrated(workspace, anew)


def test_a_killed_workers_job_is_taken_on(settings: Settings, workspace: Workspace) -> None:
    """kill -9 in mid-measurement: another worker goes on, and no row is measured twice or lost."""
    job_id = ask(workspace)
    with worker_process(settings) as process:
        wait_for(lambda: len(rows_of(workspace)) > 4)
        process.kill()
        process.wait()
    left = rows_of(workspace)
    assert not job_of(workspace, job_id).over
    with worker_process(settings):
        wait_for(lambda: job_of(workspace, job_id).over, 300.0)  # what neighbours disturb takes four turns
    job, rows = job_of(workspace, job_id), rows_of(workspace)
    assert (job.state, job.attempt <= 2) == ("succeeded", True), job.error
    assert left.items() <= rows.items()


def finished(workspace: Workspace, job_id: str) -> tuple[dict[str, Any], str]:
    """The result and the table of a job, once it was worked on here."""
    work(workspace)
    job = job_of(workspace, job_id)
    assert job.state == "succeeded", job.error
    return dict(job.result or {}), job.table_key


def calibrated(workspace: Workspace, table: str) -> bool:
    with workspace.database.read() as session:
        return measurements.get(session, table).calibration is not None
