"""Following a search over a real server: numbered events, nothing missed, nothing twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.settings import Settings, load_settings
from service.workspace import Workspace
from tests.postgres import Postgres
from tests.service.helpers import events_of, toy_search, wait_for, work

ROOT = Path(__file__).parents[2]
Event = tuple[str, str]


@contextmanager
def running(settings: Settings) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real server in a process of its own, on a free port; it has no workers."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = os.environ | settings.environment() | {"FITWRIGHT_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "service.server"], env=environment, cwd=ROOT)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()


def answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Workspace]]:
    """A server for all tests here, on either database, and a workspace on the same tables."""
    url = ""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    home = tmp_path_factory.mktemp("home")
    settings = load_settings(home=home, database_url=url, workers=0, scheduler=False)
    workspace = Workspace(settings)
    with running(settings) as (address, _):
        yield address, workspace
    workspace.close()


@pytest.fixture
def server(served: tuple[str, Workspace]) -> str:
    return served[0]


@pytest.fixture
def workspace(served: tuple[str, Workspace]) -> Workspace:
    return served[1]


def follow(address: str, last: str | None = None, count: int = 10_000) -> list[Event]:
    """(id, kind) of up to `count` events."""
    headers = {"Last-Event-ID": last} if last is not None else {}
    found: list[Event] = []
    kind, number = "", ""
    with httpx.stream("GET", address, headers=headers, timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            kind = line[7:] if line.startswith("event: ") else kind
            number = line[4:] if line.startswith("id: ") else number
            if not line and kind:
                found.append((number, kind))
                kind = number = ""
            if len(found) == count:
                break
    return found


def test_a_stream_ends_with_the_search(server: str, workspace: Workspace) -> None:
    """Every stored event comes, in order, then `end`; the connection is closed."""
    search_id = toy_search(workspace)
    work(workspace)
    found = follow(f"{server}/v1/searches/{search_id}/events")
    assert [kind for _, kind in found] == [kind for kind, _ in events_of(workspace, search_id)] + ["end"]
    numbers = [int(number) for number, kind in found if kind != "end"]
    assert numbers == sorted(set(numbers))


def test_a_client_that_comes_back_misses_nothing(server: str, workspace: Workspace) -> None:
    """Broken off anywhere and resumed with Last-Event-ID, both parts make the whole."""
    search_id = toy_search(workspace)
    work(workspace)
    address = f"{server}/v1/searches/{search_id}/events"
    whole = follow(address)
    part = follow(address, count=len(whole) // 2)
    assert part + follow(address, last=part[-1][0]) == whole


def test_a_stream_shows_what_happens_while_it_is_open(server: str, workspace: Workspace) -> None:
    """Events that are committed after the client came are sent to it."""
    search_id = toy_search(workspace)
    found: list[Event] = []
    reader = threading.Thread(target=lambda: found.extend(follow(f"{server}/v1/searches/{search_id}/events")))
    reader.start()
    work(workspace)
    reader.join(60)
    assert found[-1][1] == "end"
    assert len(found) == len(events_of(workspace, search_id)) + 1


def test_a_client_that_has_it_all_is_told_not_to_come_back(server: str, workspace: Workspace) -> None:
    """A search that is over and fully told has no content (204), at which browsers stop asking."""
    search_id = toy_search(workspace)
    work(workspace)
    address = f"{server}/v1/searches/{search_id}/events"
    last = follow(address)[-2][0]
    assert httpx.get(address, headers={"Last-Event-ID": last}).status_code == 204


def test_an_open_stream_doesn_t_hold_up_the_end(tmp_path: Path) -> None:
    """Told to stop, the server closes the streams of its watchers and ends as it was told, not cut short."""
    settings = load_settings(home=tmp_path, workers=0, scheduler=False)
    workspace = Workspace(settings)
    address = f"/v1/searches/{toy_search(workspace)}/events"
    workspace.close()
    with running(settings) as (host, process), httpx.stream("GET", host + address, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "event: state"
        process.send_signal(signal.SIGINT)
        assert "end" not in "".join(lines)
        assert process.wait(60) in (0, -signal.SIGINT)


def test_the_server_answers(server: str) -> None:
    """The same app over a real socket."""
    assert httpx.get(f"{server}/healthz").json()["status"] == "ok"
    assert httpx.get(f"{server}/v1/nothing").headers["content-type"] == "application/problem+json"
