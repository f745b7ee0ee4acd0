"""Trials: the only truth about what was tried and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ForeignKey, UniqueConstraint, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, BigKey, Json, NotFound, clock


class TrialRow(Base):
    """One recipe; written before it is evaluated. `finalist` is what finishing it (fine-tuned, packed) gave."""

    __tablename__ = "trials"
    __table_args__ = (UniqueConstraint("search_id", "number"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    search_id: Mapped[str] = mapped_column(ForeignKey("searches.id"))
    number: Mapped[int]
    origin: Mapped[str]
    state: Mapped[str]
    recipe: Mapped[Json]
    costs: Mapped[Json]
    quality: Mapped[Json]
    error: Mapped[str] = mapped_column(default="")
    finalist: Mapped[Json | None]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


def get(session: Session, search_id: str, number: int) -> TrialRow:
    """Raises NotFound."""
    query = select(TrialRow).where(TrialRow.search_id == search_id, TrialRow.number == number)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"search {search_id} has no trial {number}")
    return row


def begin(session: Session, search_id: str, number: int) -> None:
    """Notes that somebody evaluates it now."""
    mine = (TrialRow.search_id == search_id, TrialRow.number == number)
    query = update(TrialRow).where(*mine).values(state="running", started_at=clock(session))
    session.execute(query.execution_options(synchronize_session=False))


def of_search(session: Session, search_id: str) -> Sequence[TrialRow]:
    """All trials in order of number."""
    return session.scalars(select(TrialRow).where(TrialRow.search_id == search_id).order_by(TrialRow.number)).all()


def page(session: Session, search_id: str, limit: int, after: int = -1) -> Sequence[TrialRow]:
    """At most `limit` trials with numbers above `after`, in order."""
    query = select(TrialRow).where(TrialRow.search_id == search_id, TrialRow.number > after)
    return session.scalars(query.order_by(TrialRow.number).limit(limit)).all()


def count_by_state(session: Session, search_id: str) -> dict[str, int]:
    """How many trials of the search are in each state that occurs."""
    query = select(TrialRow.state, func.count()).where(TrialRow.search_id == search_id).group_by(TrialRow.state)
    return {state: count for state, count in session.execute(query)}
