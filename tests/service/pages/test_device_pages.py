"""The pages of devices: where figures come from, what a table holds, and how one is measured."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient

from db import measurements
from db.measurements import TableId
from service.workspace import Workspace
from tests.service.page_text import text_of


def test_devices_say_where_their_figures_come_from(client: TestClient):
    """Measured or analytical, and the sources of each."""
    seen = text_of(client.get("/devices").text)
    assert "local-onnxruntime" in seen
    assert "the catalogue" in seen
    assert "measured, and looked up in the table of timings" in text_of(client.get("/devices/local-onnxruntime").text)
    assert "DS12110, STM32H743 datasheet" in text_of(client.get("/devices/cortex-m7-analytical").text)


def test_the_table_of_a_measured_device_is_described(client: TestClient, workspace: Workspace):
    """How many operators were timed, on what, how far timings repeat, and which types there are."""
    table = TableId("local-onnxruntime", "onnxruntime", "1", "cpu")
    with workspace.database.write() as session:
        for number, spread in enumerate((0.01, 0.02, 0.5)):
            row = {"key": f"{number}", "signature": f"Conv({number})", "latency_s": 1e-5, "disagreement": spread}
            measurements.add(session, table, row, 0.0)
        unseen = [["plain", 1.02e-3, 1e-3], ["mlp", 9.5e-5, 1e-4]]
        errors = {"mean": 0.035, "p90": 0.05, "worst": 0.05, "tau": 1.0, "margin": 0.05, "family_mean": 0.0}
        about = {"networks": 2, "families": ["plain", "mlp"], "created": "2026-01-01T00:00:00+00:00", "unseen": unseen}
        measurements.calibrate(session, table.key, errors | about)
    page = client.get("/devices/local-onnxruntime").text
    seen = text_of(page)
    drawn = json.loads(page.partition('id="unseen-figure">')[2].partition("</script>")[0])["data"]
    assert [(series["name"], series["y"]) for series in drawn] == [
        ("plain", [pytest.approx(2.0)]),
        ("mlp", [pytest.approx(-5.0)]),
    ]
    for words in ("onnxruntime 1 on cpu", "3 operators", "nine rows of ten repeat within 2.00 %", "Conv 3 10 µs"):
        assert words in seen, seen


def test_profiling_is_a_form(client: TestClient):
    """It works without script: a job is queued, shown, and cancelled; what can't be is said beside the form."""
    address = "/devices/local-onnxruntime@threads=2"
    assert "number from 3 to 1000" in text_of(client.post(f"{address}/profile", data={"networks": "two"}).text)
    sent = client.post(f"{address}/profile", data={"networks": "4"}, follow_redirects=False)
    assert (sent.status_code, sent.headers["location"]) == (303, address)
    assert "Waiting for a worker" in text_of(client.get(address).text)
    client.post(f"{address}/cancel")
    assert "cancelled" in text_of(client.get(address).text)
    refused = client.post("/devices/eyeriss-analytical/profile", data={"networks": ""})
    assert (refused.status_code, "nothing can be timed on it" in text_of(refused.text)) == (422, True)
