"""Uploaded models."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, NotFound


class ModelRow(Base):
    """A captured model; its file is the blob `sha256` + `.fwm`. `facts` says what was found when it was read."""

    __tablename__ = "models"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    file_bytes: Mapped[int]
    facts: Mapped[Json]
    created_at: Mapped[float]


def get(session: Session, model_id: str) -> ModelRow:
    """Raises NotFound."""
    row = session.get(ModelRow, model_id)
    if row is None:
        raise NotFound(f"there is no model {model_id}")
    return row


def by_hash(session: Session, sha256: str) -> ModelRow:
    """The model with this content, whatever it was called. Raises NotFound."""
    row = session.scalar(select(ModelRow).where(ModelRow.sha256 == sha256))
    if row is None:
        raise NotFound(f"there is no model with the content {sha256}")
    return row


def page(session: Session, limit: int, before: str | None = None) -> Sequence[ModelRow]:
    """Newest first, at most `limit`, older than the id `before`."""
    query = select(ModelRow).order_by(ModelRow.id.desc()).limit(limit)
    return session.scalars(query.where(ModelRow.id < before) if before else query).all()
