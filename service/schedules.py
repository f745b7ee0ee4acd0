"""Schedules as users know them: a batch, a cron rule and a time zone."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db.base import clock
from db.ids import new_id
from db.schedules import ScheduleRow, ScheduleRunRow, claim_due
from service.batches import create_batch
from service.checks import check_schedule
from service.due import BadRule, latest_due, next_due
from service.errors import InvalidRequest
from service.schemas import BatchRequest, ScheduleRequest


def create_schedule(session: Session, request: ScheduleRequest, now: float | None = None) -> str:
    """Stores a schedule; it is first due at the next time that its rule names. Raises InvalidRequest."""
    check_schedule(session, request)
    now = clock(session) if now is None else now
    row = ScheduleRow(
        id=new_id("sdl"),
        name=request.name,
        cron=request.cron,
        zone=request.timezone,
        request=request.batch.model_dump(mode="json"),
        next_run_at=next_due(request.cron, request.timezone, now),
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def run_one_due(session: Session, now: float) -> bool:
    """Starts the batch of one schedule whose time has come; False if there was none.

    All in the caller's one transaction: the run's row (unique per schedule and due time), its batch with all
    searches, and the next due time. Whatever is killed, a due time has one run. Of several that were missed only
    the latest is run.
    """
    row = claim_due(session, now)
    if row is None or row.next_run_at is None:
        return False
    due = latest_due(row.cron, row.zone, row.next_run_at, now)
    batch, error = _start(session, row)
    run = ScheduleRunRow(schedule_id=row.id, due_at=due, batch_id=batch, error=error, created_at=clock(session))
    session.add(run)
    row.next_run_at = _following(row, max(due, now))
    session.flush()
    return True


def _start(session: Session, row: ScheduleRow) -> tuple[str | None, str]:
    """The batch, or why it can't be made any more (a device that is gone): that too is the run of its due time."""
    try:
        return create_batch(session, BatchRequest.model_validate(row.request)), ""
    except InvalidRequest as error:
        return None, str(error)


def _following(row: ScheduleRow, after: float) -> float | None:
    try:
        return next_due(row.cron, row.zone, after)
    except BadRule:
        return None
