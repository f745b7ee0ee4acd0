"""Own devices and tables over REST: added, filled, asked what they lack, searched for, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from db import measurements
from db.measurements import TableId
from hwmodels.catalogue import DEVICES
from hwmodels.signature import op_signature
from methods.graph.load import load_graph
from methods.graph.lower import lower
from service.app import create_app
from service.models import add_model
from service.searches import create_search
from service.settings import Settings
from service.workspace import Workspace
from tests.service.helpers import NoExecutor, tiny_fwm, toy_model, work

BASE = "http://127.0.0.1:8077"
CHIP = {
    "id": "my-chip",
    "macs_per_s": {"fp32": 1e9},
    "mac_energy_j": {"fp32": 4e-12},
    "memories": [{"name": "RAM", "bytes": 65536, "bandwidth_bytes_per_s": 1e9, "energy_j_per_bit": 1e-12}],
}
BOARD = {"id": "my-board", "kind": "measured", "profiler": "onnxruntime"}
NPU = {"id": "my-npu", "kind": "imported", "precisions": ["fp32"]}
HEADER = "# device: my-npu\n# runtime: vendor\n# version: 2\n# machine: kit\n"


@pytest.fixture
def idle(settings: Settings) -> Iterator[TestClient]:
    """The app with nobody working."""
    with TestClient(create_app(settings, NoExecutor()), base_url=BASE) as opened:
        yield opened


def csv_of(path: Path, leave_out: int = 0) -> str:
    """A table with a row for each operator of a model, but for the last ones."""
    ops = lower(load_graph(path)).ops
    texts = dict.fromkeys(op_signature(op) for op in ops)
    rows = [f'"{text}",{20 + n},100' for n, text in enumerate(texts)][: len(texts) - leave_out]
    return HEADER + "\n".join(["signature,latency_us,calls", "overhead,5,1000", *rows]) + "\n"


def test_an_analytical_device_is_added_and_searched_for(idle: TestClient, workspace: Workspace) -> None:
    """It is listed as one's own, with every figure that was given, and a search takes it with settings."""
    made = idle.post("/v1/devices", json=CHIP)
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/devices/my-chip")
    assert (made.json()["agent_key"], made.json()["macs_per_s"]) == (None, {"fp32": 1e9})
    listed = {d["id"]: d["provenance"] for d in idle.get("/v1/devices").json()["items"]}
    assert listed == dict.fromkeys(DEVICES, "catalogue") | {"my-chip": "own"}
    asked = {"dataset": "digits", "limits": {"latency": "0.6x"}, "evaluations": 4, "device": "my-chip@batch=2"}
    search = idle.post("/v1/searches", json={"model": toy_model(workspace)} | asked)
    work(workspace)
    assert idle.get(search.headers["Location"]).json()["state"] == "succeeded"


def test_a_board_gets_a_key_that_is_told_once(idle: TestClient) -> None:
    """The reply to its making holds the key of its agents; afterwards nobody can read it."""
    made = idle.post("/v1/devices", json=BOARD, headers={"Idempotency-Key": "board"})
    key = made.json()["agent_key"]
    assert (len(key) > 40, made.json()["agents"]) == (True, True)
    again = idle.post("/v1/devices", json=BOARD, headers={"Idempotency-Key": "board"})
    assert (again.json()["id"], again.json()["agent_key"]) == ("my-board", None)
    assert key not in idle.get("/v1/devices/my-board").text
    assert "sha256" not in idle.get("/v1/devices").text


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"id": "My Chip"}, ["#/id"]),
        ({"id": 7}, ["#/id"]),
        ({"macs_per_s": {"fp32": -1}}, ["#/macs_per_s/fp32"]),
        ({"memories": [{"name": "RAM", "bytes": 0.5}], "colour": 1}, ["#/colour", "#/memories/0/bytes"]),
        ({"kind": "measured", "profiler": "tea"}, None),
        ({"title": "a\0b"}, ["#/title"]),
    ],
)
def test_faults_of_a_datasheet_are_pointed_at(idle: TestClient, change: Any, pointers: list[str] | None) -> None:
    """All of them at once, and nothing is kept."""
    refused = idle.post("/v1/devices", json=CHIP | change)
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    found = [error["pointer"] for error in refused.json()["errors"]]
    assert sorted(found) == pointers or (pointers is None and "#/profiler" in found)
    assert len(idle.get("/v1/devices").json()["items"]) == len(DEVICES)


def test_ids_are_taken_once(idle: TestClient) -> None:
    """Neither the catalogue's nor an own id can be taken again."""
    assert idle.post("/v1/devices", json=CHIP).status_code == 201
    for taken in (CHIP, CHIP | {"id": "eyeriss-analytical"}):
        assert idle.post("/v1/devices", json=taken).status_code == 409


def test_an_imported_table_is_looked_up(idle: TestClient, workspace: Workspace, tmp_path: Path) -> None:
    """What the table lacks is named; once it is complete, coverage is whole, and it comes back as it was sent."""
    path = tiny_fwm(tmp_path)
    model = add_model(workspace, path, confined=False)
    idle.post("/v1/devices", json=NPU)
    short = idle.put("/v1/devices/my-npu/table", content=csv_of(path, leave_out=1))
    assert (short.status_code, short.json()["key"]) == (201, "my-npu | vendor 2 | kit")
    lacking = idle.get(f"/v1/devices/my-npu/coverage?model={model}").json()
    assert (len(lacking["missing"]), lacking["operators"]) == (1, 2)
    assert lacking["missing"][0]["name"]
    full = idle.put("/v1/devices/my-npu/table", content=csv_of(path))
    assert full.json()["key"] == "my-npu | vendor 2 | kit | #2"
    assert idle.get(f"/v1/devices/my-npu/coverage?model={model}").json()["missing"] == []
    sent, got = (idle.get(f"/v1/devices/my-npu/table?format={form}") for form in ("json", "csv"))
    assert got.headers["content-type"].startswith("text/csv")
    again = idle.put("/v1/devices/my-npu/table", content=got.content)
    assert (again.status_code, again.json()["rows"]) == (201, len(sent.json()["rows"]))
    by_accept = idle.get("/v1/devices/my-npu/table", headers={"accept": "text/csv"})
    assert by_accept.text.splitlines()[-3:] == got.text.splitlines()[-3:]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER + "signature,latency_us\na,-1\nb,0\nc,nan\nd,1\nd,2\n", ["line 6", "line 7", "line 8", "line 10"]),
        ("signature,latency_us\na,1\n", ["header lacks device, runtime, version, machine"]),
        (HEADER.replace("kit", "a | b") + "signature,latency_us\na,1\n", ["machine is 'a | b'"]),
        ('{"header": {}, "rows": []}', ["header is missing"]),
        ("{", ["neither CSV nor JSON"]),
        ("\xff\xfe", ["header lacks"]),
        ("", ["header lacks"]),
    ],
)
def test_faults_of_a_table_are_named_by_line(idle: TestClient, text: str, words: list[str]) -> None:
    """All or nothing: with one wrong line no row is kept."""
    idle.post("/v1/devices", json=NPU)
    refused = idle.put("/v1/devices/my-npu/table", content=text.encode())
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    told = " ".join(error["detail"] for error in refused.json()["errors"])
    assert all(part in told for part in words), told
    assert idle.get("/v1/devices/my-npu").json()["measured"] == []


def test_tables_that_dont_fit_their_device(idle: TestClient) -> None:
    """An analytical device has none; a runtime's table belongs to that runtime; settings have to be the same."""
    text = HEADER + "signature,latency_us\na,1\n"
    for device, words in (
        ("eyeriss-analytical", "no table"),
        ("local-onnxruntime", "is timed by 'onnxruntime'"),
        ("my-npu@batch=2", "was sent for my-npu@batch=2"),
    ):
        idle.post("/v1/devices", json=NPU)
        refused = idle.put(f"/v1/devices/{device}/table", content=text)
        assert (refused.status_code, words in refused.json()["detail"]) == (422, True), refused.text
    assert idle.put("/v1/devices/absent/table", content=text).status_code == 404
    assert idle.get("/v1/devices/my-npu/table").status_code == 404


def test_a_device_in_use_stays(idle: TestClient, workspace: Workspace) -> None:
    """While a search for it isn't over it can't be removed; afterwards it goes with its tables."""
    idle.post("/v1/devices", json=CHIP)
    asked = {"dataset": "digits", "limits": {"latency": "0.6x"}, "evaluations": 4, "device": "my-chip@batch=2"}
    with workspace.database.write() as session:
        search_id = create_search(session, {"model": toy_model(workspace)} | asked)
    refused = idle.delete("/v1/devices/my-chip")
    assert (refused.status_code, search_id in refused.json()["detail"]) == (409, True)
    work(workspace)
    with workspace.database.write() as session:
        measurements.begin(session, TableId("my-chip@batch=2", "r", "1", "m"), 0.0)
    assert idle.delete("/v1/devices/my-chip").status_code == 204
    assert [idle.request(m, "/v1/devices/my-chip").status_code for m in ("GET", "DELETE")] == [404, 404]
    assert idle.delete("/v1/devices/eyeriss-analytical").status_code == 409
    with workspace.database.read() as session:
        assert measurements.of_device(session, "my-chip@batch=2") == []
