"""Batches: many searches from one request."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, NotFound


class BatchRow(Base):
    """`template` is a hash over what was asked, so that a repetition finds the run before it."""

    __tablename__ = "batches"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    request: Mapped[Json]
    template: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[float]


def get(session: Session, batch_id: str) -> BatchRow:
    """Raises NotFound."""
    row = session.get(BatchRow, batch_id)
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    return row


def previous(session: Session, row: BatchRow) -> BatchRow | None:
    """The latest earlier batch that asked for the same."""
    query = select(BatchRow).where(BatchRow.template == row.template, BatchRow.id < row.id)
    return session.scalar(query.order_by(BatchRow.id.desc()).limit(1))


def page(session: Session, limit: int, before: str | None = None) -> Sequence[BatchRow]:
    """Newest first, at most `limit`, older than the id `before`."""
    query = select(BatchRow).order_by(BatchRow.id.desc()).limit(limit)
    return session.scalars(query.where(BatchRow.id < before) if before else query).all()
