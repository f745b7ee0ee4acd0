"""Uploaded data sets; the built-in ones have names and no rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, NotFound


class DatasetRow(Base):
    """A data set; its file is the blob `sha256` + `suffix`. `facts` holds samples, shape and classes."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    suffix: Mapped[str]
    file_bytes: Mapped[int]
    facts: Mapped[Json]
    created_at: Mapped[float]


def get(session: Session, dataset_id: str) -> DatasetRow:
    """Raises NotFound."""
    row = session.get(DatasetRow, dataset_id)
    if row is None:
        raise NotFound(f"there is no data set {dataset_id}")
    return row


def by_hash(session: Session, sha256: str) -> DatasetRow:
    """The data set with this content, whatever it was called. Raises NotFound."""
    row = session.scalar(select(DatasetRow).where(DatasetRow.sha256 == sha256))
    if row is None:
        raise NotFound(f"there is no data set with the content {sha256}")
    return row


def page(session: Session, limit: int, before: str | None = None) -> Sequence[DatasetRow]:
    """Newest first, at most `limit`, older than the id `before`."""
    query = select(DatasetRow).order_by(DatasetRow.id.desc()).limit(limit)
    return session.scalars(query.where(DatasetRow.id < before) if before else query).all()
