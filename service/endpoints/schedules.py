"""/v1/schedules"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from db import schedules
from db.base import Json
from service.dependencies import Here, Key, checked_id
from service.idempotency import once
from service.schedules import create_schedule
from service.schemas import ScheduleRequest
from service.views import runs_document, schedule_document

router = APIRouter(prefix="/v1/schedules", tags=["schedules"])


@router.post("", status_code=201)
def add_schedule(here: Here, response: Response, body: ScheduleRequest, key: Key = None) -> Json:
    """Repeat a batch by a cron rule in a time zone: one run per due time; of several missed ones, only the latest."""
    with here.database.write() as session:
        document = body.model_dump(mode="json")
        schedule_id = once(session, key, "schedules", document, lambda: create_schedule(session, body))
    response.headers["Location"] = f"/v1/schedules/{schedule_id}"
    return get_schedule(here, schedule_id)


@router.get("")
def list_schedules(here: Here) -> Json:
    """List schedules, oldest first."""
    with here.database.read() as session:
        return {"items": [schedule_document(row) for row in schedules.all_schedules(session)]}


@router.get("/{schedule_id}")
def get_schedule(here: Here, schedule_id: str) -> Json:
    """Show a schedule and when it is due next."""
    with here.database.read() as session:
        return schedule_document(schedules.get(session, checked_id(schedule_id, "sdl", "schedule")))


@router.delete("/{schedule_id}", status_code=204)
def remove_schedule(here: Here, schedule_id: str) -> None:
    """Remove a schedule; the batches that it has started stay."""
    with here.database.write() as session:
        schedules.remove(session, checked_id(schedule_id, "sdl", "schedule"))


@router.get("/{schedule_id}/runs")
def list_runs(here: Here, schedule_id: str, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> Json:
    """List runs, newest first; each result beside that of the run before."""
    with here.database.read() as session:
        row = schedules.get(session, checked_id(schedule_id, "sdl", "schedule"))
        return {"items": runs_document(session, row, limit)}
