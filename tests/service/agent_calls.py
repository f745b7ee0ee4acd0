"""What an agent says over HTTP, for tests of what the service answers."""

from __future__ import annotations

import io
import json
from typing import Any

import httpx
from fastapi.testclient import TestClient

from db.base import Json, clock
from db.ids import new_id
from db.measure_jobs import MeasureJobRow
from hwmodels.agent_protocol import PROTOCOL, read_frame
from hwmodels.machine import machine_key
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.frames import pack
from service.agents import REQUEST
from service.workspace import Workspace

DEVICE = "my-board"
BODY: Json = {
    "protocol": PROTOCOL,
    "version": "0.1.0",
    "machine": machine_key(),
    "runtimes": {"onnxruntime": "1.2.3"},
}
ASKED: Json = {"action": "time", "runtime": "onnxruntime", "labels": ["a", "b"], "timeout_s": 60.0}
ROW: Json = {"latency_s": 1e-5, "p10_s": 1.1e-5, "median_s": 2e-5, "calls": 9, "disagreement": 0.01}


def add_device(client: TestClient | httpx.Client, id: str = DEVICE) -> str:
    """A device that agents serve; its key."""
    document = {"id": id, "kind": "measured", "title": "A board", "profiler": "onnxruntime"}
    reply = client.post("/v1/devices", json=document)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["agent_key"])


class Caller:
    """One agent's side of the exchange, which may say anything."""

    def __init__(self, client: TestClient, key: str, device: str = DEVICE, **changes: Any) -> None:
        self.client, self.key, self.device = client, key, device
        self.registered = self.call("POST", f"/v1/devices/{device}/agents", json=BODY | changes)
        self.id = str(self.registered.json().get("id", ""))
        self.job, self.token = "", ""

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}"} | options.pop("headers", {})
        return self.client.request(method, path, headers=headers, **options)

    def claim(self, wait_s: float = 0.0) -> Reply | None:
        """The request of the next job, whose id and token are kept."""
        reply = self.call("POST", f"/v1/agents/{self.id}/claim?wait_s={wait_s}")
        if reply.status_code == 204:
            return None
        self.job, self.token = reply.headers["fitwright-job"], reply.headers["fitwright-token"]
        return read_frame(io.BytesIO(reply.content), len(reply.content))

    def about_job(self, verb: str, job: str = "", token: str = "") -> httpx.Response:
        headers = {"Fitwright-Token": token or self.token}
        return self.call("POST", f"/v1/agents/{self.id}/jobs/{job or self.job}/{verb}", headers=headers)

    def answer(self, frame: bytes | None = None, job: str = "", token: str = "") -> httpx.Response:
        """A good reply, or any bytes, to the job that it has, or to any other."""
        content = times() if frame is None else frame
        headers = {"Fitwright-Token": token or self.token}
        return self.call("PUT", f"/v1/agents/{self.id}/jobs/{job or self.job}", content=content, headers=headers)


def times(rows: Any = (ROW, ROW), **more: Any) -> bytes:
    """The frame of a reply to `time`, which may hold what no reply should."""
    return frame({"measurements": list(rows), "gauge_s": 1e-5} | more)


def frame(header: Json, blobs: list[int] | None = None, after: bytes = b"") -> bytes:
    """A frame whose header says that it has blobs of these lengths."""
    text = json.dumps(header | {"blobs": blobs or []}).encode()
    return len(text).to_bytes(8, "little") + text + after


def add_job(workspace: Workspace, device: str = DEVICE, digest: str = "d", **changes: Any) -> str:
    """A job for what agents with BODY have; its frame is there too."""
    job_id = new_id("job")
    kept = workspace.blobs.put(pack(ASKED, [b"one", b"two"]), f"{REQUEST}-{job_id}")
    about = {"device": device, "machine": BODY["machine"], "runtime": "onnxruntime", "version": "1.2.3"}
    asked = {"digest": digest, "header": ASKED, "timeout_s": 60.0, "request": kept.sha256}
    with workspace.database.write() as session:
        session.add(MeasureJobRow(id=job_id, **(about | asked | changes), created_at=clock(session)))
    return job_id
