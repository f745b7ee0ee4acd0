"""Searches as users know them: made, found again, run to their end in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from db import events, queue, searches
from db.base import Json, clock
from db.ids import new_id
from db.queue import TaskKind
from db.searches import TERMINAL, SearchRow, SearchState
from service.checks import check_search
from service.errors import InvalidRequest
from service.progress import enter
from service.refusals import field_errors
from service.schemas import SearchRequest
from service.settings import Settings
from service.steps import Steps
from service.worker import Worker, free_tasks_of_dead, real_steps
from service.workspace import Workspace

OnEvent = Callable[[str, Json], None]
FOLLOW_S = 0.2


def create_search(session: Session, request: SearchRequest | Json, batch_id: str | None = None) -> str:
    """Checks a request, stores it and queues its first step; returns its id.

    Raises:
        InvalidRequest: names everything that is wrong with it.
    """
    wanted = request if isinstance(request, SearchRequest) else read_request(request)
    check_search(session, wanted)
    return insert_search(session, wanted, batch_id)


def insert_search(session: Session, request: SearchRequest, batch_id: str | None = None) -> str:
    """The same for a request that was checked."""
    row = SearchRow(
        id=new_id("srh"),
        name=request.name,
        state=str(SearchState.QUEUED),
        request=request.model_dump(mode="json"),
        model_id=request.model,
        dataset_id=request.dataset if request.dataset.startswith("dat_") else None,
        batch_id=batch_id,
        progress={"phase": "queued", "done": 0, "total": 1, "eta_s": None},
        created_at=clock(session),
    )
    session.add(row)
    session.flush()
    enter(session, row, SearchState.QUEUED)
    queue.enqueue(session, row.id, TaskKind.PREPARE)
    return row.id


def read_request(document: Json) -> SearchRequest:
    """A request from plain JSON. Raises InvalidRequest."""
    try:
        return SearchRequest.model_validate(document)
    except ValidationError as error:
        raise InvalidRequest(field_errors(error.errors(include_url=False))) from error


def find_unfinished(session: Session, request: SearchRequest | Json) -> str | None:
    """The latest search that asks for exactly the same and isn't over: one that was interrupted, to go on with."""
    wanted = (request if isinstance(request, SearchRequest) else read_request(request)).model_dump(mode="json")
    query = select(SearchRow).where(SearchRow.model_id == wanted["model"], SearchRow.state.not_in(TERMINAL))
    rows = session.scalars(query.order_by(SearchRow.id.desc()))
    return next((row.id for row in rows if row.request == wanted), None)


def run_until_finished(
    where: Settings | Workspace, search_id: str, on_event: OnEvent | None = None, steps: Steps | None = None
) -> SearchRow:
    """Works on one search in this process until it is over, and returns its row.

    Killed at any moment, it goes on where it was when called again with the same id. Other workers on the same
    tables may help. `on_event` is called with the kind and data of each event, from another thread.
    """
    workspace = where if isinstance(where, Workspace) else Workspace(where)
    worker = Worker(workspace, steps or real_steps(), search_id=search_id)
    follower = _Follower(workspace, search_id, on_event or (lambda _kind, _data: None))
    free_tasks_of_dead(workspace)
    follower.start()
    try:
        while not _row(workspace, search_id).over:
            if not worker.step():
                worker.stopping.wait(workspace.settings.poll_s)
    finally:
        follower.finish()
        row = _row(workspace, search_id)
        if workspace is not where:
            workspace.close()
    return row


def _row(workspace: Workspace, search_id: str) -> SearchRow:
    with workspace.database.read() as session:
        return searches.get(session, search_id)


class _Follower(threading.Thread):
    """Hands on events as they are committed."""

    def __init__(self, workspace: Workspace, search_id: str, on_event: OnEvent) -> None:
        super().__init__(name="events", daemon=True)
        self._workspace, self._search_id, self._on_event = workspace, search_id, on_event
        self._over = threading.Event()
        self._last = 0

    def run(self) -> None:
        while not self._over.wait(FOLLOW_S):
            self._hand_on()

    def finish(self) -> None:
        """Hands on what is left and ends."""
        self._over.set()
        self.join()
        self._hand_on()

    def _hand_on(self) -> Any:
        with self._workspace.database.read() as session:
            rows = events.after(session, self._search_id, self._last)
        for row in rows:
            self._last = row.id
            self._on_event(row.kind, row.data)
