"""Artefacts: the files that a search made, each kept as a blob."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, NotFound


class ArtefactRow(Base):
    """One named file of a search's bundle."""

    __tablename__ = "artefacts"
    __table_args__ = (UniqueConstraint("search_id", "name"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    search_id: Mapped[str] = mapped_column(ForeignKey("searches.id"))
    name: Mapped[str]
    sha256: Mapped[str]
    file_bytes: Mapped[int]
    created_at: Mapped[float]


def of_search(session: Session, search_id: str) -> Sequence[ArtefactRow]:
    """All files of a search by name."""
    return session.scalars(
        select(ArtefactRow).where(ArtefactRow.search_id == search_id).order_by(ArtefactRow.name)
    ).all()


def get(session: Session, search_id: str, name: str) -> ArtefactRow:
    """Raises NotFound, saying which names there are."""
    rows = {row.name: row for row in of_search(session, search_id)}
    if name not in rows:
        there = ", ".join(rows) or "none yet"
        raise NotFound(f"search {search_id} has no file {name!r}; it has: {there}")
    return rows[name]
