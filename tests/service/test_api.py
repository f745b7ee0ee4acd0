"""The REST API from upload to download, over HTTP."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.models import add_model
from service.settings import Settings
from service.workspace import Workspace
from tests.service.helpers import NoExecutor, ThreadExecutor, tiny_fwm, tiny_npz, toy_model, wait_for

BASE = "http://127.0.0.1:8077"


@pytest.fixture
def client(settings: Settings, workspace: Workspace) -> Iterator[TestClient]:
    """The app with one worker on the toy problem."""
    with TestClient(create_app(settings, ThreadExecutor(workspace)), base_url=BASE) as opened:
        yield opened


@pytest.fixture
def idle(settings: Settings) -> Iterator[TestClient]:
    """The app with nobody working."""
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


def request(model: str, **changes: Any) -> dict[str, Any]:
    asked = {"model": model, "dataset": "digits", "device": "cortex-m7-analytical", "limits": {"latency": "0.6x"}}
    return asked | {"evaluations": 8} | changes


def finished(client: TestClient, address: str) -> dict[str, Any]:
    """The search once it is over."""
    wait_for(lambda: client.get(address).json()["state"] in ("succeeded", "failed", "cancelled"))
    found: dict[str, Any] = client.get(address).json()
    return found


def test_from_upload_to_download(client: TestClient, tmp_path: Path) -> None:
    """Model and data go up, a search is accepted and followed, its bundle comes down whole."""
    with tiny_fwm(tmp_path).open("rb") as file:
        model = client.post("/v1/models", files={"file": ("tiny.fwm", file)}, data={"name": "Tiny"})
    with tiny_npz(tmp_path).open("rb") as file:
        data = client.post("/v1/datasets", files={"file": ("tiny.npz", file)})
    assert (model.status_code, model.json()["name"], model.json()["parameters"]) == (201, "Tiny", 67)
    assert (data.status_code, data.json()["samples"], data.json()["shapes"]) == (201, 90, [[4]])
    accepted = client.post("/v1/searches", json=request(model.json()["id"], dataset=data.json()["id"]))
    assert (accepted.status_code, accepted.headers["Location"]) == (202, f"/v1/searches/{accepted.json()['id']}")
    found = finished(client, accepted.headers["Location"])
    assert (found["state"], found["outcome"]) == ("succeeded", "feasible")
    files = client.get(found["links"]["artifacts"]).json()["items"]
    packed = client.get(next(f["link"] for f in files if f["name"] == "bundle.zip"))
    with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
        recipe = json.loads(archive.read("recipe.json"))
    assert recipe == found["result"]["compressed"]["recipe"]
    assert "attachment" in packed.headers["content-disposition"]


def test_the_same_file_is_the_same_model(idle: TestClient, workspace: Workspace, tmp_path: Path) -> None:
    """Adding content again, under whatever name, makes no second model."""
    path = tiny_fwm(tmp_path)
    ids = {add_model(workspace, path, name, confined=False) for name in ("first", "second")}
    listed = idle.get("/v1/models").json()["items"]
    assert [(item["id"], item["name"]) for item in listed] == [(*ids, "first")]


def test_trials_and_front(client: TestClient, workspace: Workspace) -> None:
    """Trials come in pages; the front holds those that no other beats, with limits and the untouched model."""
    address = client.post("/v1/searches", json=request(toy_model(workspace), evaluations=20)).headers["Location"]
    found = finished(client, address)
    first = client.get(f"{address}/trials", params={"limit": 15}).json()
    second = client.get(f"{address}/trials", params={"limit": 15, "after": first["next"]}).json()
    trials = first["items"] + second["items"]
    assert ([t["number"] for t in trials], second["next"]) == (list(range(20)), None)
    front = client.get(f"{address}/front").json()
    best = max(t["quality"]["score"] for t in trials if t["state"] == "done")
    assert found["best"]["quality"]["score"] == best
    assert found["best"]["number"] in [t["number"] for t in front["items"]]
    assert front["objectives"] == ["score", "latency_s"]
    assert front["reference"]["parameters"] == 10
    assert client.get(f"{address}/trials/{best and found['best']['number']}").json()["state"] == "done"


def test_lists_come_in_pages(idle: TestClient, workspace: Workspace) -> None:
    """Following `next` gives every search once, newest first; the Link header says the same."""
    model = toy_model(workspace)
    made = [idle.post("/v1/searches", json=request(model)).json()["id"] for _ in range(5)]
    seen, address = [], "/v1/searches?limit=2"
    while address:
        page = idle.get(address)
        seen += [item["id"] for item in page.json()["items"]]
        address = page.links["next"]["url"] if "next" in page.links else ""
    assert seen == made[::-1]
    assert idle.get("/v1/searches?state=succeeded").json()["items"] == []


def test_cancelling(idle: TestClient, workspace: Workspace) -> None:
    """A queued search is cancelled at once, and once more without complaint; a finished one can't be."""
    address = idle.post("/v1/searches", json=request(toy_model(workspace))).headers["Location"]
    for _ in range(2):
        cancelled = idle.post(f"{address}:cancel")
        assert (cancelled.status_code, cancelled.json()["state"]) == (202, "cancelled")


def test_a_finished_search_can_t_be_cancelled(client: TestClient, workspace: Workspace) -> None:
    """That is a conflict, and the search stays as it is."""
    address = client.post("/v1/searches", json=request(toy_model(workspace))).headers["Location"]
    finished(client, address)
    refused = client.post(f"{address}:cancel")
    assert (refused.status_code, refused.json()["type"]) == (409, "/v1/problems/conflict")
    assert client.get(address).json()["state"] == "succeeded"


def test_a_request_sent_twice_is_carried_out_once(idle: TestClient, workspace: Workspace) -> None:
    """With the same Idempotency-Key the second answer names the first search; another request can't use the key."""
    body, key = request(toy_model(workspace)), {"Idempotency-Key": "try 1"}
    first, second = (idle.post("/v1/searches", json=body, headers=key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    other = idle.post("/v1/searches", json=body | {"seed": 5}, headers=key)
    assert (other.status_code, other.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")
    assert len(idle.get("/v1/searches").json()["items"]) == 1


def test_a_request_sent_by_many_at_once_is_carried_out_once(idle: TestClient, workspace: Workspace) -> None:
    """Eight copies with one Idempotency-Key at the same moment all get the one search."""
    body, key = request(toy_model(workspace)), {"Idempotency-Key": "at once"}
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: idle.post("/v1/searches", json=body, headers=key), range(8)))
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.json()["id"] for reply in replies}) == 1


def test_a_batch_and_its_repetition(client: TestClient, workspace: Workspace) -> None:
    """Two models within two budgets make four searches; asked for again, each result stands beside the first's."""
    models = [toy_model(workspace), toy_model(workspace)]
    asked = {"models": models, "datasets": ["digits"], "devices": ["cortex-m7-analytical"], "evaluations": 4}
    asked["budgets"] = [{"latency": "0.6x"}, {"latency": "0.1x"}]
    addresses = []
    for _ in range(2):
        made = client.post("/v1/batches", json=asked)
        assert made.status_code == 202
        addresses.append(made.headers["Location"])
        wait_for(lambda: client.get(addresses[-1]).json()["over"] == 4)
    first, second = (client.get(address).json() for address in addresses)
    assert first["outcomes"] == second["outcomes"] == {"feasible": 2, "infeasible": 2}
    assert first["previous"] is None
    assert second["previous"] == first["id"]
    assert all(entry["previous"] is None for entry in first["results"])
    assert [e["previous"]["id"] for e in second["results"]] == [e["search"]["id"] for e in first["results"]]


def test_schedules(idle: TestClient, workspace: Workspace) -> None:
    """A schedule is stored with its next due time, listed, and removed."""
    batch = {"models": [toy_model(workspace)], "datasets": ["digits"], "devices": ["cortex-m7-analytical"]}
    batch["budgets"] = [{"latency": "0.6x"}]
    asked = {"cron": "0 2 * * *", "timezone": "Europe/Paris", "name": "nightly", "batch": batch}
    made = idle.post("/v1/schedules", json=asked)
    assert made.status_code == 201
    assert made.json()["next_run_at"][11:16] in ("00:00", "01:00")
    address = made.headers["Location"]
    assert idle.get(f"{address}/runs").json()["items"] == []
    assert [s["id"] for s in idle.get("/v1/schedules").json()["items"]] == [made.json()["id"]]
    assert idle.delete(address).status_code == 204
    assert idle.get(address).status_code == 404


def test_catalogues_and_health(idle: TestClient) -> None:
    """Devices, methods and strategies are listed with what they are; the service says that it is well."""
    for name in ("devices", "methods", "importances", "recoveries", "strategies"):
        items = idle.get(f"/v1/{name}").json()["items"]
        assert len(items) >= 2
        assert all(item.get("summary") or item.get("title") for item in items)
    assert idle.get("/healthz").json()["status"] == "ok"


def test_api_docs_come_from_here_alone(idle: TestClient) -> None:
    """The interactive page names no other host, and all that it loads is there."""
    page = idle.get("/docs").text
    assert "http" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/assets/{name}" in page
        assert len(idle.get(f"/docs/assets/{name}").content) > 100_000
    assert "/v1/searches/{search_id}:cancel" in idle.get("/openapi.json").json()["paths"]
