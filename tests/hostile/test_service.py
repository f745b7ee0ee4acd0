"""The service as a whole, sent what strangers may send: it answers with a reason, stays up and stays small."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.acceptance.serving import Service, service
from tests.hostile import good
from tests.hostile.case import SECRET, Case, Traps
from tests.hostile.corpus import corpus, traps_in

WORST = (
    *("bomb.fwm", "nodes-many.fwm", "zeros.fwm", "embedding-outside.fwm", "bomb-of-weights.fwm"),
    *("executed-by-torch-guards.pt2", "graph-many.pt2", "external-3.onnx", "nested-30.onnx", "pickle-saved.pt2"),
)
GROWTH_BYTES = 50 << 20
VERDICT_S = 60.0


@pytest.fixture(scope="module")
def traps(tmp_path_factory: pytest.TempPathFactory) -> Traps:
    return traps_in(tmp_path_factory.mktemp("traps"))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A real service without workers, warmed by a sound model."""
    home = tmp_path_factory.mktemp("service") / "home"
    with service(home, workers="0") as started:
        assert _send(started, Case("sound.fwm", good.fwm())).status_code == 201
        yield started


def _send(running: Service, case: Case) -> httpx.Response:
    name = case.name.encode("utf-8", "replace").decode()
    address = f"{running.address}/v1/models"
    return httpx.post(address, files={"file": (name, case.data)}, timeout=10 * VERDICT_S)


def _timed(running: Service, case: Case) -> tuple[httpx.Response, float]:
    start = time.monotonic()
    return _send(running, case), time.monotonic() - start


def _resident_bytes(running: Service) -> int:
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def _holds(running: Service, cases: list[Case], traps: Traps) -> float:
    """Sends them all, two at a time; what must hold for each and afterwards. Returns the longest verdict's seconds."""
    before = _resident_bytes(running)
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda case: _timed(running, case), cases))
    for case, (reply, _) in zip(cases, replies, strict=True):
        _is_verdict(case, reply)
    assert httpx.get(f"{running.address}/healthz", timeout=60.0).status_code == 200
    assert not traps.canary.exists()
    assert _resident_bytes(running) - before <= GROWTH_BYTES
    return max(seconds for _, seconds in replies)


def _is_verdict(case: Case, reply: httpx.Response) -> None:
    assert reply.status_code == 201 or 400 <= reply.status_code < 500, (case.name, reply.text)
    assert reply.status_code != 201 or not case.refused, case.name
    assert SECRET.decode() not in reply.text
    if reply.status_code != 201:
        assert reply.headers["content-type"] == "application/problem+json"
        assert len(reply.json()["detail"]) > 10


def test_the_worst_are_refused_and_nothing_is_left(running: Service, traps: Traps) -> None:
    """A 4xx problem for each, no growth, no half-written file, no row of a refused model."""
    cases = [case for case in corpus(traps) if case.name in WORST]
    assert len(cases) == len(WORST)
    _holds(running, cases, traps)
    assert [p for p in running.home.rglob("*") if "reading-" in p.name or "incoming-" in p.name] == []
    sizes = {m["file_bytes"] for m in httpx.get(f"{running.address}/v1/models", timeout=60.0).json()["items"]}
    assert len(sizes) <= 2


@pytest.mark.slow
def test_all_of_them_are_judged_within_a_minute(running: Service, traps: Traps) -> None:
    """The whole corpus through the real service, one by one."""
    assert _holds(running, corpus(traps), traps) < VERDICT_S
