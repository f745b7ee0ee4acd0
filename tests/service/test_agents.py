"""Agents over HTTP, on both databases: who may come, and that nothing counts that wasn't asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from db import agents
from db.agents import AgentRow
from db.base import clock
from db.measure_jobs import MeasureJobRow
from db.measurements import TableId, begin
from service.agents import reply_path, request_path
from service.app import create_app
from service.settings import Settings
from service.workspace import Workspace
from tests.service.agent_calls import ASKED, BODY, Caller, add_device, add_job, frame, times
from tests.service.helpers import NoExecutor

BASE = "http://127.0.0.1:8077"


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


@pytest.fixture
def here(client: TestClient) -> Workspace:
    found: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return found


@pytest.fixture
def key(client: TestClient) -> str:
    return add_device(client)


def only_job(here: Workspace) -> MeasureJobRow:
    with here.database.read() as session:
        return session.scalars(select(MeasureJobRow)).one()


def test_a_job_is_taken_and_answered(client: TestClient, here: Workspace, key: str) -> None:
    """The frame comes as it was put, the reply is kept as it was sent, and the list of agents tells of it."""
    agent, job_id = Caller(client, key), add_job(here)
    assert agent.claim() == (ASKED | {"blobs": [3, 3]}, [b"one", b"two"])
    assert agent.job == job_id
    assert agent.about_job("renew").json() == {"lease_s": 2.0}
    assert agent.answer().json() == {"state": "done"}
    assert reply_path(here, only_job(here)).read_bytes() == times()
    listed = client.get("/v1/devices/my-board/agents").json()
    assert [(row["id"], row["live"], row["machine"]) for row in listed["items"]] == [(agent.id, True, BODY["machine"])]
    assert listed["jobs"] == {"queued": 0, "running": 0, "done": 1, "failed": 0, "withdrawn": 0}
    assert agent.claim() is None


def test_the_key_of_another_device_is_wrong_too(client: TestClient, key: str) -> None:
    """Each device has its own."""
    agent, other = Caller(client, key), add_device(client, "your-board")
    assert Caller(client, other).registered.status_code == 401
    agent.key = other
    assert agent.call("POST", f"/v1/agents/{agent.id}/claim?wait_s=0").status_code == 401


@pytest.mark.parametrize("other", [{"machine": "another"}, {"runtimes": {"onnxruntime": "9.9"}}])
def test_a_device_stays_one_kind_of_machine(client: TestClient, here: Workspace, key: str, other: Any) -> None:
    """While it has an agent or a table of one machine and version, another is refused, unless it asks for a new one."""
    Caller(client, key)
    refused = Caller(client, key, **other).registered
    assert (refused.status_code, "--new-table" in refused.json()["detail"]) == (409, True)
    _silence(here)
    with here.database.write() as session:
        begin(session, TableId("my-board@batch=8", "onnxruntime", "1.2.3", str(BODY["machine"])), 0.0)
    assert Caller(client, key, **other).registered.status_code == 409
    assert Caller(client, key, **other, new_table=True).registered.status_code == 201
    assert Caller(client, key, **other).registered.status_code == 201


def test_a_board_that_never_measured_may_be_replaced(client: TestClient, here: Workspace, key: str) -> None:
    """An agent started by mistake on the wrong machine binds nobody once it is gone."""
    Caller(client, key)
    _silence(here)
    assert Caller(client, key, machine="the right board").registered.status_code == 201


def _silence(here: Workspace) -> None:
    """All agents were last heard of two minutes ago."""
    with here.database.write() as session:
        for row in session.scalars(select(AgentRow)):
            row.last_seen_at = clock(session) - 120.0


def test_an_error_of_the_runtime_is_an_answer(client: TestClient, here: Workspace, key: str) -> None:
    """It ends the job as done: asking another agent would end the same."""
    agent = Caller(client, key)
    add_job(here)
    agent.claim()
    assert agent.answer(frame({"error": "no kernel for Foo", "unsupported": True})).status_code == 200
    assert only_job(here).state == "done"


def test_replies_that_nobody_asked_of_this_agent_count_for_nothing(
    client: TestClient, here: Workspace, key: str
) -> None:
    """One for a job never given, with a stale token, for a job that is done, of another device, and of none at all."""
    one, two = Caller(client, key), Caller(client, key)
    theirs = Caller(client, add_device(client, "your-board"), "your-board")
    job_id = add_job(here)
    assert one.answer(job=job_id, token="0").status_code == 409
    one.claim()
    assert two.answer(job=job_id, token=one.token).status_code == 409
    assert theirs.answer(job=job_id, token=one.token).status_code == 409
    assert one.answer(token="7").status_code == 409
    assert one.about_job("renew", token="7").status_code == 409
    assert one.about_job("release", token="7").status_code == 409
    assert one.answer(job="job_" + 32 * "0").status_code == 404
    assert one.answer(job="..").status_code in (404, 405)
    assert one.answer(token="x").status_code == 422
    assert only_job(here).state == "running"
    assert one.answer().status_code == 200
    assert one.answer().status_code == 409
    files = [p for p in here.blobs.root.rglob("*") if p.is_file()]
    assert len(files) == 2


def test_a_lease_that_ran_out_goes_to_the_next(client: TestClient, here: Workspace, key: str) -> None:
    """The one before is refused from then on, and what it sends changes nothing."""
    one, two = Caller(client, key), Caller(client, key)
    add_job(here)
    one.claim()
    assert two.claim() is None
    with here.database.write() as session:
        session.scalars(select(MeasureJobRow)).one().lease_until = 0.0
    assert two.claim() is not None
    assert [one.about_job("renew").status_code, one.answer().status_code] == [409, 409]
    assert two.answer().status_code == 200


def test_a_released_job_is_there_again_at_once(client: TestClient, here: Workspace, key: str) -> None:
    """And it doesn't count as an attempt."""
    one, two = Caller(client, key), Caller(client, key)
    add_job(here)
    one.claim()
    assert one.about_job("release").status_code == 204
    assert two.claim() is not None
    assert only_job(here).attempt == 1


def test_a_claim_waits_for_a_job(client: TestClient, here: Workspace, key: str) -> None:
    """It is answered soon after there is one, and with 204 when there is none in time."""
    import threading

    agent = Caller(client, key)
    assert agent.claim(0.3) is None
    timer = threading.Timer(0.3, add_job, [here])
    timer.start()
    assert agent.claim(30.0) is not None
    timer.join()


def test_a_request_whose_file_is_gone_fails(client: TestClient, here: Workspace, key: str) -> None:
    """With the reason, rather than going round for ever."""
    agent = Caller(client, key)
    add_job(here)
    request_path(here, only_job(here)).unlink()
    assert agent.claim() is None
    assert (only_job(here).state, "no longer in" in only_job(here).error) == ("failed", True)


def test_long_replies_have_a_limit(client: TestClient, here: Workspace, key: str) -> None:
    """Larger than other bodies, but not than an upload; refused before it is read, or while it comes."""
    agent = Caller(client, key)
    add_job(here)
    agent.claim()
    limit = here.settings.upload_limit_bytes
    path, headers = f"/v1/agents/{agent.id}/jobs/{agent.job}", {"Content-Length": str(limit + 1)}
    assert agent.call("PUT", path, content=b"x", headers=headers).status_code == 413
    assert agent.answer(times(["x" * 3_000_000])).status_code == 422


def test_an_agent_that_is_not_known_is_told_so(client: TestClient, key: str) -> None:
    """404: it registers again, because the service may have another database now."""
    agent = Caller(client, key)
    agent.id = "agt_" + 32 * "0"
    assert agent.call("POST", f"/v1/agents/{agent.id}/claim?wait_s=0").status_code == 404
    assert agent.call("POST", "/v1/agents/nobody/claim?wait_s=0").status_code == 404


def test_agents_go_with_their_device(client: TestClient, here: Workspace, key: str) -> None:
    """After the device was removed and made again, the old key and the old agents are nobody's."""
    agent = Caller(client, key)
    assert client.delete("/v1/devices/my-board").status_code == 204
    assert agent.call("POST", f"/v1/agents/{agent.id}/claim?wait_s=0").status_code == 404
    again = add_device(client)
    assert again != key
    with here.database.read() as session:
        assert agents.newest(session, "my-board") is None
