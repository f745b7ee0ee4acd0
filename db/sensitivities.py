"""How much each single choice hurts: measured once, shared by every search over the same model and data."""

from __future__ import annotations

from sqlalchemy import UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json
from db.upsert import insert_new


class SensitivityRow(Base):
    """One (method, site, value) in its scope; `scope` is a hash over all that the figure depends on."""

    __tablename__ = "sensitivities"
    __table_args__ = (UniqueConstraint("scope", "key"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    scope: Mapped[str]
    key: Mapped[str]
    document: Mapped[Json]
    created_at: Mapped[float]


def add(session: Session, scope: str, document: Json, at: float) -> None:
    """Keeps `document` under its own `key`, unless there is one already."""
    row = {"scope": scope, "key": document["key"], "document": document, "created_at": at}
    insert_new(session, SensitivityRow, [row])


def of_scope(session: Session, scope: str) -> list[Json]:
    """All rows of a scope, ordered by key: the same list whoever measured them in whatever order."""
    query = select(SensitivityRow.document).where(SensitivityRow.scope == scope)
    return sorted(session.scalars(query), key=lambda document: str(document["key"]))
