"""/v1/searches/{id}/events: what happens to a search, as it happens (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from db import events, searches
from db.base import Json
from db.events import EventRow
from service.dependencies import Here, checked_id
from service.workspace import Workspace

EVERY_S = 0.25
BATCH = 500

router = APIRouter(prefix="/v1/searches", tags=["searches"])


def _start(
    here: Here, search_id: str, last_event_id: Annotated[str | None, Header(description="Go on after this.")] = None
) -> int:
    """The id that the stream goes on after. A search that is over and told in full has no content: don't come back."""
    last = _number(last_event_id or "")
    rows, over = _read(here, checked_id(search_id, "srh", "search"), last)
    if last_event_id is not None and over is not None and not rows:
        raise HTTPException(204)
    return last


@router.get("/{search_id}/events", response_class=EventSourceResponse)
async def follow_search(
    here: Here, request: Request, search_id: str, start: Annotated[int, Depends(_start)]
) -> AsyncIterator[ServerSentEvent]:
    """Follow a search: `state`, `progress`, `trial`, `best`, `finalist`, and `end` when it is over.

    Events are numbered; a client that comes back with `Last-Event-ID` misses nothing and gets nothing twice.
    """
    last = start
    while not request.app.state.stopping.is_set():
        rows, over = await run_in_threadpool(_read, here, search_id, last)
        for row in rows:
            last = row.id
            yield ServerSentEvent(raw_data=json.dumps(row.data), event=row.kind, id=str(row.id))
        if over is not None and len(rows) < BATCH:
            yield ServerSentEvent(raw_data=json.dumps(over), event="end")
            return
        await asyncio.sleep(0.0 if len(rows) == BATCH else EVERY_S)


def _number(text: str) -> int:
    """An event's number; whatever else a client sends stands for the beginning."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0


def _read(here: Workspace, search_id: str, last: int) -> tuple[Sequence[EventRow], Json | None]:
    """New events, and how the search ended if it did; both of one moment."""
    with here.database.read() as session:
        row = searches.get(session, search_id)
        ended = {"state": row.state, "outcome": row.outcome or None, "reason": row.state_reason} if row.over else None
        return events.after(session, search_id, last, BATCH), ended
