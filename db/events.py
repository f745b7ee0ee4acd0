"""Events: an append-only record of what happened, numbered, for everybody who watches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, Index, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json, clock


class EventRow(Base):
    """`kind` is one of state, progress, trial, best, finalist."""

    __tablename__ = "events"
    __table_args__ = (Index(None, "search_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    search_id: Mapped[str] = mapped_column(ForeignKey("searches.id"))
    kind: Mapped[str]
    data: Mapped[Json]
    created_at: Mapped[float]


def append(session: Session, search_id: str, kind: str, data: Json) -> None:
    """Adds an event. The caller holds `searches.lock`, so that ids become visible in order."""
    session.add(EventRow(search_id=search_id, kind=kind, data=data, created_at=clock(session)))


def after(session: Session, search_id: str, last: int = 0, limit: int = 500) -> Sequence[EventRow]:
    """The events of a search with ids above `last`, in order, at most `limit`."""
    query = select(EventRow).where(EventRow.search_id == search_id, EventRow.id > last)
    return session.scalars(query.order_by(EventRow.id).limit(limit)).all()
