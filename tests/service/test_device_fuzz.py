"""Whatever is sent to the addresses of devices and profile jobs, the answer is a reply or a problem, never a crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodels.catalogue import DEVICES
from hwmodels.datasheet import device_to_json
from service.app import create_app
from service.settings import load_settings
from tests.service.helpers import NoExecutor

BASE = "http://127.0.0.1:8077"
PROBLEM = "application/problem+json"
TEXT = st.text(max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SHEETS = [device_to_json(device) for device in DEVICES.values()]
IDS = st.sampled_from(["local-onnxruntime", "eyeriss-analytical@batch=2", "my-npu", "x@batch=", ".", "a|b"]) | TEXT


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The app on SQLite with an imported device."""
    home = load_settings(home=tmp_path_factory.mktemp("home"), workers=0, scheduler=False)
    with TestClient(create_app(home, NoExecutor()), base_url=BASE, raise_server_exceptions=False) as opened:
        opened.post("/v1/devices", json={"id": "my-npu", "kind": "imported"})
        yield opened


def check(reply: Any) -> None:
    """No server error, and every refusal is a problem."""
    assert reply.status_code < 500, reply.text
    assert reply.status_code < 400 or reply.headers["content-type"] in (PROBLEM, "text/html; charset=utf-8")


@settings(max_examples=120, deadline=None, derandomize=True)
@given(sheet=st.sampled_from(SHEETS), name=st.sampled_from(sorted({n for s in SHEETS for n in s})) | TEXT, value=JSON)
def test_datasheets(client: TestClient, sheet: dict[str, Any], name: str, value: Any) -> None:
    """A good datasheet with one field replaced by anything; what is taken can be shown and listed."""
    text = json.dumps(sheet | {"id": "fuzzed"} | {name: value}).encode(errors="surrogatepass")
    reply = client.post("/v1/devices", content=text, headers={"content-type": "application/json"})
    check(reply)
    check(client.get("/v1/devices"))
    if reply.status_code == 201:
        for path in (f"/v1/devices/{reply.json()['id']}", f"/devices/{reply.json()['id']}"):
            assert client.get(path).status_code == 200
        assert client.delete(f"/v1/devices/{reply.json()['id']}").status_code == 204


@settings(max_examples=60, deadline=None, derandomize=True)
@given(body=JSON | st.fixed_dictionaries({"device": IDS}, optional={"networks": JSON, "refresh": JSON}))
def test_profile_jobs(client: TestClient, body: Any) -> None:
    """Anything for a body."""
    text = json.dumps(body).encode(errors="surrogatepass")
    reply = client.post("/v1/profile-jobs", content=text, headers={"content-type": "application/json"})
    check(reply)
    if reply.status_code == 202:
        check(client.post(f"{reply.headers['Location']}:cancel"))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(id=IDS, table=TEXT, content=st.binary(max_size=60) | TEXT.map(lambda text: f"# device: {text}\n{text}".encode()))
def test_tables_and_addresses(client: TestClient, id: str, table: str, content: bytes) -> None:
    """Any id in any address, any table's key, and any content for a table."""
    place = quote(id, safe="@=,", errors="replace")
    check(client.put(f"/v1/devices/{place}/table", content=content))
    for tail in ("", "/table", "/table?format=csv", "/coverage?model=mdl_1"):
        check(client.get(f"/v1/devices/{place}{tail}"))
    check(client.get(f"/v1/devices/{place}/table", params={"table": table.encode(errors="replace").decode()}))
    check(client.get(f"/devices/{place}"))
    check(client.get("/v1/profile-jobs", params={"device": id.encode(errors="replace").decode()}))
