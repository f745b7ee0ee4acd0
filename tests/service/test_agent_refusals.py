"""What agents are refused, and how: refusals don't depend on the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from db.measure_jobs import MeasureJobRow
from hwmodels.agent_protocol import PROTOCOL
from service.agents import request_path
from service.app import create_app
from service.settings import load_settings
from service.workspace import Workspace
from tests.service.agent_calls import BODY, ROW, Caller, add_device, add_job, frame, times
from tests.service.helpers import NoExecutor

BASE = "http://127.0.0.1:8077"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = load_settings(home=tmp_path_factory.mktemp("home"), workers=0, scheduler=False)
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


@pytest.fixture
def client(opened: TestClient) -> Iterator[TestClient]:
    """The app, without the device and its jobs afterwards."""
    yield opened
    here: Workspace = opened.app.state.workspace  # type: ignore[attr-defined]
    with here.database.write() as session:
        for row in session.scalars(select(MeasureJobRow)):
            request_path(here, row).unlink()
            session.delete(row)
    assert opened.delete("/v1/devices/my-board").status_code == 204


@pytest.fixture
def here(client: TestClient) -> Workspace:
    found: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return found


@pytest.fixture
def key(client: TestClient) -> str:
    return add_device(client)


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", "Basic {key}", "Bearer {key}x", "Bearer é"])
def test_a_wrong_key_is_refused(client: TestClient, key: str, shown: str) -> None:
    """With 401 and a problem document, when registering and ever after."""
    agent = Caller(client, key)
    headers = {"Authorization": shown.format(key=key).encode()}
    for path in ("/v1/devices/my-board/agents", f"/v1/agents/{agent.id}/claim?wait_s=0"):
        reply = client.post(path, json=BODY, headers=headers)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["type"] == "/v1/problems/unauthorized"


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"protocol": 0}, 409, "the agent is older"),
        ({"protocol": PROTOCOL + 1}, 409, "the service is older"),
        ({"runtimes": {}}, 409, "pip install onnxruntime"),
        ({"runtimes": {"openvino": "1"}}, 409, "runtimes there: openvino 1"),
        ({"runtimes": {"onnxruntime": 3}}, 422, "text"),
        ({"machine": "a\0b"}, 422, "NUL"),
        ({"machine": ""}, 422, "at least 1"),
        ({"clock": 0.0}, 422, "no such field"),
    ],
)
def test_agents_that_cannot_serve_are_refused(
    client: TestClient, key: str, changes: Any, status: int, words: str
) -> None:
    """With what is wrong and what would help; none of them is registered."""
    reply = Caller(client, key, **changes).registered
    assert (reply.status_code, words in reply.json()["detail"]) == (status, True), reply.text
    assert client.get("/v1/devices/my-board/agents").json()["items"] == []


@pytest.mark.parametrize("device", ["local-onnxruntime", "no-such-board", "..%2f..%2fetc"])
def test_only_own_devices_have_agents(client: TestClient, key: str, device: str) -> None:
    """A device of the catalogue and one that isn't there: 404."""
    assert Caller(client, key, device).registered.status_code == 404


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "0 bytes"),
    "cut off": (times()[:-3], "whole frame has"),
    "too long": (times() + b"x", "add up to"),
    "blobs missing": (frame({"measurements": []}, [10]), "add up to"),
    "a length below zero": (frame({"measurements": []}, [-1]), "list with the length"),
    "a huge header": ((2**62).to_bytes(8, "little") + b"{}", "the whole frame has 10"),
    "no JSON": ((2).to_bytes(8, "little") + b"{x", "isn't JSON"),
    "a list": ((2).to_bytes(8, "little") + b"[]", "must be an object"),
    "deep": ((90_000).to_bytes(8, "little") + b"[" * 90_000, "isn't JSON"),
    "too few": (times([ROW]), "2 measurements were asked for, and 1 were sent"),
    "too many": (times([ROW] * 3), "and 3 were sent"),
    "no list": (frame({"gauge_s": 1.0}), "there is no such list"),
    "NaN": (times([ROW, ROW | {"latency_s": float("nan")}]), "NaN is no number"),
    "infinite": (times([ROW, ROW | {"median_s": 1e400}]), "Infinity is no number"),
    "negative": (times([ROW, ROW | {"latency_s": -1e-5}]), "measurements/1"),
    "zero": (times([ROW | {"latency_s": 0.0}, ROW]), "a time is above 0 s"),
    "huge": (times([ROW | {"median_s": 10**400}, ROW]), "too large"),
    "text": (times([ROW | {"calls": "9"}, ROW]), "calls"),
    "not rising": (times([ROW | {"p10_s": 3e-5}, ROW]), "must rise"),
    "a field more": (times([ROW | {"clock": 1.0}, ROW]), "must be an object with"),
    "a word more": (times(timed_at=1.0), "also has timed_at"),
    "no gauge": (times(gauge_s=0.0), "gauge_s"),
    "an error that is none": (frame({"error": 7}), "has that text"),
    "an error and more": (frame({"error": "x", "measurements": []}), "nothing else"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_reply_is_named_and_the_job_goes_back(client: TestClient, here: Workspace, key: str, name: str) -> None:
    """422 with what is wrong; the job is queued again, and nothing of the reply is kept."""
    agent, job_id = Caller(client, key), add_job(here)
    agent.claim()
    reply = agent.answer(BAD[name][0])
    assert (reply.status_code, reply.json()["type"]) == (422, "/v1/problems/invalid")
    assert BAD[name][1] in reply.json()["detail"]
    with here.database.read() as session:
        row = session.scalars(select(MeasureJobRow)).one()
    assert (row.id, row.state, row.reply, row.attempt) == (job_id, "queued", "", 1)
    assert sorted(p.name for p in here.blobs.root.rglob("*") if p.is_file()) == [request_path(here, row).name]
    assert agent.answer().status_code == 409
    assert agent.claim() is not None
