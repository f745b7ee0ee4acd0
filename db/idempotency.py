"""Replies that were given under an Idempotency-Key, so that a request sent twice is carried out once."""

from __future__ import annotations

from sqlalchemy import delete, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, clock

KEPT_S = 24 * 3600.0


class ReplyRow(Base):
    """`body` is a hash over route and request, so that a key can't be used for two different ones."""

    __tablename__ = "replies"

    key: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]
    reply: Mapped[Json]
    created_at: Mapped[float] = mapped_column(index=True)


def find(session: Session, key: str) -> ReplyRow | None:
    """The reply given before, if it was in the last 24 hours; a request with this key at the same time waits here."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
    session.execute(delete(ReplyRow).where(ReplyRow.created_at < clock(session) - KEPT_S))
    return session.get(ReplyRow, key)


def keep(session: Session, key: str, body: str, reply: Json) -> None:
    """Remembers a reply, in the transaction that made what it tells of."""
    session.add(ReplyRow(key=key, body=body, reply=reply, created_at=clock(session)))
    session.flush()
