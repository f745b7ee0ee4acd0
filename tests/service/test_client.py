"""The Python client against a real server with a worker on the toy problem."""

from __future__ import annotations

import io
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from service.app import create_app
from service.bundles import Kept, register
from service.client import Client, ClientError
from service.executors.choice import Executor
from service.settings import Settings, load_settings
from service.workspace import Workspace
from tests.service.helpers import (
    NoExecutor,
    ThreadExecutor,
    events_of,
    tiny_fwm,
    tiny_npz,
    toy_search,
    trials_of,
    wait_for,
    work,
)

TOY: dict[str, Any] = {"device": "cortex-m7-analytical", "evaluations": 8}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The client sees no database; SQLite will do."""
    return load_settings(home=tmp_path / "home", workers=0, scheduler=False, poll_s=0.05)


@contextmanager
def serving(settings: Settings, executor: Executor, port: int = 0) -> Iterator[str]:
    """A server in a thread; its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings, executor), port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def client(settings: Settings, workspace: Workspace) -> Iterator[Client]:
    """A client of a service that works."""
    with serving(settings, ThreadExecutor(workspace)) as address, Client(address) as client:
        yield client


def test_from_upload_to_download(client: Client, tmp_path: Path):
    """Files go up, events come as they happen, and the bundle ends in a new folder."""
    model, data = client.upload_model(tiny_fwm(tmp_path)), client.upload_dataset(tiny_npz(tmp_path))
    search = client.submit(model, data, {"latency": "0.6x"}, name="mine", **TOY)
    kinds: list[str] = []
    ended = client.wait(search, lambda kind, _: kinds.append(kind))
    assert (ended["state"], ended["outcome"], ended["name"]) == ("succeeded", "feasible", "mine")
    assert {"state", "progress", "trial", "best", "finalist"} <= set(kinds)
    assert kinds[-1] == "end"
    folder = client.download(search, tmp_path / "fitted")
    assert {path.name for path in folder.iterdir()} == {"model.fwm", "recipe.json"}


def test_trials_and_front(client: Client, workspace: Workspace):
    """All trials come, over pages; the front is among them."""
    search = toy_search(workspace, evaluations=9)
    client.wait(search)
    assert client.trials(search) == trials_of(workspace, search)
    assert {item["number"] for item in client.front(search)["items"]} <= set(range(9))
    assert [entry["id"] for entry in client.searches()] == [search]


def test_a_stream_goes_on_over_a_restart_of_the_service(settings: Settings, workspace: Workspace):
    """The service goes away in the middle and comes back: every event arrives once, in order."""
    search = toy_search(workspace)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}")
    with serving(settings, NoExecutor(), port):
        stream = client.events(search)
        seen = [next(stream)]
    work(workspace)
    with serving(settings, NoExecutor(), port):
        seen += list(stream)
    assert seen[:-1] == events_of(workspace, search)
    assert seen[-1][0] == "end"


def test_refusals_carry_what_the_service_said(client: Client, tmp_path: Path):
    """What is wrong, where, with the status; nothing to look up."""
    model = client.upload_model(tiny_fwm(tmp_path))
    with pytest.raises(ClientError, match="msec isn't a unit of latency") as refused:
        client.submit(model, "digits", {"latency": "5 msec"}, **TOY)
    assert refused.value.status == 422
    assert refused.value.problem["errors"][0]["pointer"] == "#/limits/latency"
    with pytest.raises(ClientError, match="there is no search"):
        client.get("srh_" + "0" * 32)
    with pytest.raises(ClientError, match="No such file"):
        client.upload_model(tmp_path / "absent.fwm")


def test_a_service_that_is_not_there():
    """One sentence with the address and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = Client(f"http://127.0.0.1:{port}")
    with pytest.raises(ClientError, match=rf"no service answers at http://127.0.0.1:{port}.*fitwright serve"):
        client.submit("mdl_x", "digits", {"latency": "0.5x"})


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a\\..\\out.txt"])
def test_a_bundle_that_leads_out_of_its_folder_is_refused(
    client: Client, workspace: Workspace, tmp_path: Path, name: str
):
    """Nothing is written, neither inside nor outside."""
    search = toy_search(workspace, limits={"latency": "0.01x"})
    client.wait(search)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, b"x")
    with workspace.database.write() as session:
        register(session, search, [Kept("bundle.zip", workspace.blobs.put([packed.getvalue()]))])
    (tmp_path / "place").mkdir()
    with pytest.raises(ClientError, match="nothing was unpacked"):
        client.download(search, tmp_path / "place" / "fitted")
    assert list((tmp_path / "place").iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(client: Client, tmp_path: Path):
    """A download never mixes with what was there."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ClientError, match="is there already"):
        client.download("srh_" + "0" * 32, tmp_path)


def test_cancel(settings: Settings, workspace: Workspace):
    """A search that waits is cancelled at once."""
    search = toy_search(workspace)
    with serving(settings, NoExecutor()) as address:
        assert Client(address).cancel(search)["state"] == "cancelled"


def test_batches_and_schedules(client: Client, tmp_path: Path):
    """A batch runs every budget; a schedule is listed with its next due time until it is removed."""
    model = client.upload_model(tiny_fwm(tmp_path))
    budgets = [{"latency": "0.6x"}, {"latency": "0.8x"}]
    request = {"models": [model], "datasets": ["digits"], "devices": [TOY["device"]], "budgets": budgets}
    batch = client.batch(request | {"evaluations": 4})
    for entry in client.get_batch(batch)["results"]:
        client.wait(entry["search"]["id"])
    results = client.get_batch(batch)["results"]
    assert [entry["limits"] for entry in results] == budgets
    assert all(entry["search"]["outcome"] == "feasible" for entry in results)
    schedule = client.schedule("0 2 * * *", request, "Europe/Paris", "nightly")
    assert [(s["id"], s["name"], s["cron"]) for s in client.schedules()] == [(schedule, "nightly", "0 2 * * *")]
    assert client.runs(schedule) == []
    client.remove_schedule(schedule)
    assert client.schedules() == []
