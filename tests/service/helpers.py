"""Small things that tests of the service share."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db import artefacts, events, searches, trials
from db.base import Json
from db.ids import new_id
from db.models import ModelRow
from db.searches import SearchRow
from service.records import trial_document
from service.schemas import SearchRequest
from service.searches import insert_search
from service.settings import Settings
from service.worker import Worker
from service.workspace import Workspace
from tests.service import toy_steps


def toy_model(workspace: Workspace) -> str:
    """A model row with some file: the toy steps don't look into it."""
    blob = workspace.blobs.put([os.urandom(8)], ".fwm")
    row = ModelRow(
        id=new_id("mdl"), name="toy", sha256=blob.sha256, file_bytes=blob.file_bytes, facts={}, created_at=0.0
    )
    with workspace.database.write() as session:
        session.add(row)
    return row.id


def toy_search(workspace: Workspace, model: str = "", **changes: Any) -> str:
    """A queued search over the toy problem."""
    asked: Json = {
        "dataset": "digits",
        "device": "cortex-m7-analytical",
        "limits": {"latency": "0.6x"},
        "evaluations": 10,
    }
    request = SearchRequest.model_validate({"model": model or toy_model(workspace)} | asked | changes)
    with workspace.database.write() as session:
        return insert_search(session, request)


def work(workspace: Workspace) -> None:
    """Does everything that is queued, in this thread."""
    worker = Worker(workspace, toy_steps)
    while worker.step():
        pass


def row_of(workspace: Workspace, search_id: str) -> SearchRow:
    with workspace.database.read() as session:
        return searches.get(session, search_id)


def trials_of(workspace: Workspace, search_id: str) -> list[Json]:
    with workspace.database.read() as session:
        return [trial_document(row) for row in trials.of_search(session, search_id)]


def events_of(workspace: Workspace, search_id: str) -> list[tuple[str, Json]]:
    with workspace.database.read() as session:
        return [(row.kind, row.data) for row in events.after(session, search_id)]


def files_of(workspace: Workspace, search_id: str) -> list[str]:
    with workspace.database.read() as session:
        return [row.name for row in artefacts.of_search(session, search_id)]


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Returns once the condition holds; the time is generous, because the machine may be busy."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@contextmanager
def worker_process(settings: Settings, delay_s: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """A real worker on the toy problem."""
    environment = os.environ | settings.environment() | {"TOY_DELAY_S": str(delay_s)}
    root = Path(__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-m", "tests.service.toy_steps"], env=environment, cwd=root)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class ThreadExecutor:
    """One worker on the toy problem, in a thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._worker = Worker(workspace, toy_steps)
        self._thread = threading.Thread(target=self._worker.run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._worker.stop()
        self._thread.join()


class NoExecutor:
    """Nobody works."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def tiny_fwm(folder: Path) -> Path:
    """A real model file: two linear layers on 4 numbers."""
    import torch
    from torch import nn

    from methods.graph import file
    from methods.graph.intake.capture import capture

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    path = folder / "tiny.fwm"
    file.write(capture(model, (torch.zeros(2, 4),)), path)
    return path


def tiny_npz(folder: Path) -> Path:
    """A real data set for it."""
    import numpy as np

    numbers = np.random.default_rng(0)
    path = folder / "tiny.npz"
    np.savez(path, x=numbers.normal(size=(90, 4)).astype(np.float32), y=np.arange(90) % 3)
    return path
