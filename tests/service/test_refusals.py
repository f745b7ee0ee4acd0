"""Every refusal is a problem document that says what was wrong, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.errors import PROBLEMS
from service.settings import BadSettings, load_settings
from service.workspace import Workspace
from tests.service.helpers import NoExecutor, toy_model

BASE = "http://127.0.0.1:8077"
JSON = {"content-type": "application/json"}
GOOD = {"dataset": "digits", "device": "cortex-m7-analytical", "limits": {"latency": "0.5x"}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The app on SQLite with small uploads; refusals don't depend on the database."""
    settings = load_settings(
        home=tmp_path_factory.mktemp("home"), workers=0, scheduler=False, upload_limit_bytes=100_000
    )
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


@pytest.fixture(scope="module")
def model(client: TestClient) -> str:
    workspace: Workspace = client.app.state.workspace  # type: ignore[attr-defined]
    return toy_model(workspace)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "slug"),
    [
        ("GET", "/v1/nothing", {}, 404, "not-found"),
        ("GET", "/v1/searches/srh_1", {}, 404, "not-found"),
        ("GET", "/v1/models/mdl_%00", {}, 404, "not-found"),
        ("GET", "/v1/batches/..%2f..%2fetc", {}, 404, "not-found"),
        ("GET", "/v1/searches/srh_" + 32 * "0" + "/events", {}, 404, "not-found"),
        ("GET", "/v1/searches/srh_" + 32 * "0" + "/artifacts/x", {}, 404, "not-found"),
        ("DELETE", "/v1/models", {}, 405, "method-not-allowed"),
        ("GET", "/v1/searches?limit=201", {}, 422, "invalid"),
        ("GET", "/v1/searches?cursor=bm9wZQ==", {}, 422, "invalid"),
        ("GET", "/v1/searches?state=sleeping", {}, 422, "invalid"),
        ("POST", "/v1/searches", {"content": b"{", "headers": JSON}, 422, "invalid"),
        ("POST", "/v1/searches", {"content": b"[" * 100_000, "headers": JSON}, 400, "malformed"),
        ("POST", "/v1/searches", {"content": b" " * 3_000_000, "headers": JSON}, 413, "too-large"),
        ("POST", "/v1/searches", {"content": iter([b" " * 1_500_000] * 2), "headers": JSON}, 413, "too-large"),
        ("POST", "/v1/models", {"files": {"file": ("m.fwm", b"x" * 200_000)}}, 413, "too-large"),
        ("POST", "/v1/models", {"files": {"file": ("m.fwm", b"")}}, 422, "invalid"),
        ("POST", "/v1/models", {"files": {"file": ("m.fwm", b"PK\x03\x04 cut")}}, 422, "invalid"),
        ("POST", "/v1/models", {"files": {"file": ("m.fwm", b"\x80\x04pickle")}}, 422, "invalid"),
        ("POST", "/v1/models", {"files": {"file": ("../../../etc/x.pt", b"abc")}}, 422, "invalid"),
        ("POST", "/v1/models", {"data": {"name": "no file"}}, 422, "invalid"),
        ("POST", "/v1/datasets", {"files": {"file": ("d.npz", b"PK\x03\x04 cut")}}, 422, "invalid"),
        ("GET", "/healthz", {"headers": {"host": "evil.example"}}, 400, "wrong-host"),
        ("POST", "/v1/searches", {"json": {}, "headers": {"origin": "http://evil.example"}}, 403, "cross-origin"),
        ("POST", "/v1/searches", {"json": {}, "headers": {"origin": "null"}}, 403, "cross-origin"),
    ],
)
def test_refusals(client: TestClient, method: str, path: str, options: Any, status: int, slug: str) -> None:
    """The status, the media type, and a type that can be looked up."""
    reply = client.request(method, path, **options)
    assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
    problem = reply.json()
    assert (problem["type"], problem["status"]) == (f"/v1/problems/{slug}", status)
    assert problem["title"]
    assert problem["detail"]
    assert client.get(problem["type"]).json()["status"] == PROBLEMS[slug].status


def _recipe(*methods: str) -> dict[str, Any]:
    return {"recipe": {"steps": [{"method": name, "choices": {"weight:*": 0.5}} for name in methods]}}


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"model": "mdl_1"}, "#/model", "POST /v1/models"),
        ({"dataset": "mnits"}, "#/dataset", "mnist"),
        ({"dataset": "/etc/passwd"}, "#/dataset", "there is no data set"),
        ({"device": "cortex"}, "#/device", "cortex-m7-analytical"),
        ({"strategy": "plam"}, "#/strategy", "did you mean plan?"),
        ({"methods": ["low-rank", "pruning!"]}, "#/methods/1", "there is no method"),
        ({"methods": []}, "#/methods", "at least 1"),
        ({"limits": {}}, "#/limits", "at least 1"),
        ({"limits": {"latency": "5 msec?"}}, "#/limits/latency", "ms"),
        ({"limits": {"latency": "-1ms"}}, "#/limits/latency", "negative"),
        ({"limits": {"latency": "0x"}}, "#/limits/latency", "zero"),
        ({"limits": {"latency": "nan"}}, "#/limits/latency", "isn't a number"),
        ({"limits": {"latency": ["1ms"]}}, "#/limits/latency", "text"),
        ({"limits": {"a/b~c": "1"}}, "#/limits/a~1b~0c", "latency"),
        ({"evaluations": 0}, "#/evaluations", "greater"),
        ({"evaluations": True}, "#/evaluations", "whole number"),
        ({"evaluations": 2**63}, "#/evaluations", "less"),
        ({"seed": 1.5}, "#/seed", "whole number"),
        ({"name": "a\0b"}, "#/name", "NUL"),
        ({"name": "x" * 201}, "#/name", "200"),
        ({"objective": "speed"}, "#/objective", "accuracy"),
        ({"pickle": 1}, "#/pickle", "no such field"),
        ({"recipe": {"steps": []}}, "#/recipe/steps", "at least 1"),
        ({"recipe": {"steps": [{"method": "twm"}]}}, "#/recipe/steps/0/method", "did you mean twn?"),
        (_recipe("quantization", "low-rank"), "#/recipe/steps", "low-rank can't come after quantization"),
        ({"recipe": {"steps": [{"method": "twn", "sites": 1}]}}, "#/recipe/steps/0/sites", "no such field"),
        ({"training": {"schedule": "slow"}}, "#/training", "there is no schedule 'slow'"),
        ({"training": {"settings": {"colour": 1}}}, "#/training", "no setting 'colour'"),
        ({"training": {"settings": {"epochs": -1}}}, "#/training", "epochs"),
    ],
)
def test_faults_are_pointed_at(client: TestClient, model: str, change: Any, pointer: str, words: str) -> None:
    """One fault, one pointer to it, with the remedy; nothing is stored."""
    reply = client.post("/v1/searches", json={"model": model} | GOOD | change)
    assert reply.status_code == 422
    errors = reply.json()["errors"]
    assert [error["pointer"] for error in errors] == [pointer]
    assert words in errors[0]["detail"]
    assert client.get("/v1/searches").json()["items"] == []


def test_half_a_character_is_refused(client: TestClient) -> None:
    """A lone surrogate, which JSON can hold and a database can't."""
    reply = client.post("/v1/searches", content=b'{"model": "\\ud800"}', headers=JSON)
    assert reply.status_code == 422
    assert "#/model" in [error["pointer"] for error in reply.json()["errors"]]


def test_all_faults_are_named_at_once(client: TestClient) -> None:
    """A request with three faults is told all three."""
    asked = GOOD | {"model": "mdl_1", "device": "toaster", "limits": {"latency": "5 parsecs"}}
    errors = client.post("/v1/searches", json=asked).json()["errors"]
    assert [error["pointer"] for error in errors] == ["#/model", "#/device", "#/limits/latency"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"cron": "every night"}, "#/cron"),
        ({"cron": "0 2 30 2 *"}, "#/cron"),
        ({"timezone": "Mars/Olympus"}, "#/timezone"),
        ({"timezone": "../../etc/passwd"}, "#/timezone"),
        (
            {"batch": {"models": [], "datasets": ["digits"], "devices": ["x"], "budgets": [{"a": "1"}]}},
            "#/batch/models",
        ),
    ],
)
def test_bad_schedules_are_refused(client: TestClient, model: str, change: Any, pointer: str) -> None:
    """Rule, time zone and batch are checked when the schedule is made, not when it is due."""
    batch = {"models": [model], "datasets": ["digits"], "devices": [GOOD["device"]], "budgets": [GOOD["limits"]]}
    reply = client.post("/v1/schedules", json={"cron": "0 2 * * *", "batch": batch} | change)
    assert (reply.status_code, reply.json()["errors"][0]["pointer"]) == (422, pointer)


def test_a_batch_has_a_size(client: TestClient, model: str) -> None:
    """More than 500 searches in one request are refused before any is made."""
    asked = {"models": [model] * 100, "datasets": ["digits"], "devices": [GOOD["device"]]}
    reply = client.post("/v1/batches", json=asked | {"budgets": [GOOD["limits"]] * 6})
    assert reply.status_code == 422
    assert "600 searches" in reply.json()["detail"]


def test_what_is_not_meant_for_users_is_not_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected error is a 500 without a word of what it was."""
    monkeypatch.setattr("service.endpoints.health.counts_document", lambda *_: 1 / 0)
    quiet = TestClient(client.app, base_url=BASE, raise_server_exceptions=False)
    reply = quiet.get("/healthz")
    assert (reply.status_code, reply.headers["content-type"]) == (500, "application/problem+json")
    assert "division" not in reply.text


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "example.com", "::"])
def test_only_this_machine_is_served(host: str) -> None:
    """Until there are keys, an address that others can reach is refused with the reason."""
    with pytest.raises(BadSettings, match="no keys yet"):
        load_settings(host=host)


def test_bad_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, what it was, and what would be right."""
    monkeypatch.setenv("FITWRIGHT_WORKERS", "many")
    with pytest.raises(BadSettings, match=r"FITWRIGHT_WORKERS=many: .*integer"):
        load_settings(home=tmp_path)
