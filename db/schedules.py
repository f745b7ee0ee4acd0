"""Schedules: a batch request that is repeated; one run per due time, by a unique row."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json, NotFound


class ScheduleRow(Base):
    """`cron` in the time zone `zone`; `next_run_at` is when it is due."""

    __tablename__ = "schedules"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    cron: Mapped[str]
    zone: Mapped[str]
    request: Mapped[Json]
    next_run_at: Mapped[float | None] = mapped_column(index=True)
    created_at: Mapped[float]


class ScheduleRunRow(Base):
    """What a due time became: a batch, or the reason why there is none."""

    __tablename__ = "schedule_runs"
    __table_args__ = (UniqueConstraint("schedule_id", "due_at"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    schedule_id: Mapped[str] = mapped_column(ForeignKey("schedules.id", ondelete="CASCADE"))
    due_at: Mapped[float]
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"))
    error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[float]


def get(session: Session, schedule_id: str) -> ScheduleRow:
    """Raises NotFound."""
    row = session.get(ScheduleRow, schedule_id)
    if row is None:
        raise NotFound(f"there is no schedule {schedule_id}")
    return row


def all_schedules(session: Session) -> Sequence[ScheduleRow]:
    """Every schedule, oldest first."""
    return session.scalars(select(ScheduleRow).order_by(ScheduleRow.id)).all()


def claim_due(session: Session, now: float) -> ScheduleRow | None:
    """One schedule whose time has come, kept from other schedulers until the transaction ends."""
    query = select(ScheduleRow).where(ScheduleRow.next_run_at <= now).order_by(ScheduleRow.next_run_at).limit(1)
    return session.scalar(query.with_for_update(skip_locked=True))


def runs(session: Session, schedule_id: str, limit: int = 50) -> Sequence[ScheduleRunRow]:
    """The latest runs, newest first."""
    query = select(ScheduleRunRow).where(ScheduleRunRow.schedule_id == schedule_id)
    return session.scalars(query.order_by(ScheduleRunRow.due_at.desc()).limit(limit)).all()


def remove(session: Session, schedule_id: str) -> None:
    """Deletes a schedule and the list of its runs; their batches and searches stay. Raises NotFound."""
    get(session, schedule_id)
    session.execute(delete(ScheduleRunRow).where(ScheduleRunRow.schedule_id == schedule_id))
    session.execute(delete(ScheduleRow).where(ScheduleRow.id == schedule_id))
