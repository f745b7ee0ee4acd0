"""Searches: a user's request and its life."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import ForeignKey, func, select
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from db.base import Base, Json, NotFound, clock


class SearchState(StrEnum):
    """QUEUED -> PREPARING -> SEARCHING -> FINISHING -> SUCCEEDED; FAILED and CANCELLED from anywhere.

    From FINISHING back to SEARCHING where the finalists break a limit once they are measured.

    CANCELLING is a request, CANCELLED a fact. Whether the budget can be kept is the `outcome`, not the state.
    """

    QUEUED = "queued"
    PREPARING = "preparing"
    SEARCHING = "searching"
    FINISHING = "finishing"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({SearchState.SUCCEEDED, SearchState.FAILED, SearchState.CANCELLED})


class SearchRow(Base):
    """`request` is what was asked, `prepared` what was found out before the first trial, `result` the outcome."""

    __tablename__ = "searches"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    state_reason: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str] = mapped_column(default="")
    request: Mapped[Json]
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id"))
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id"))
    batch_id: Mapped[str | None] = mapped_column(ForeignKey("batches.id"), index=True)
    progress: Mapped[Json]
    best: Mapped[Json | None]
    prepared: Mapped[Json | None]
    result: Mapped[Json | None]
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    phase_started_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in TERMINAL


LONG = (defer(SearchRow.prepared), defer(SearchRow.result))
"""Columns that can be long and are read only where they are needed."""


def get(session: Session, search_id: str) -> SearchRow:
    """Raises NotFound."""
    row = session.get(SearchRow, search_id)
    if row is None:
        raise NotFound(f"there is no search {search_id}")
    return row


def lock(session: Session, search_id: str) -> SearchRow:
    """The row, kept from everybody else until the transaction ends. Raises NotFound.

    Whatever changes a search, its trials or its events takes this first: then the last of two trials that end
    at the same moment sees the other one, and event ids of a search grow in the order they become visible.
    """
    query = select(SearchRow).where(SearchRow.id == search_id).with_for_update().options(*LONG)
    row = session.scalar(query)
    if row is None:
        raise NotFound(f"there is no search {search_id}")
    return row


def state_of(session: Session, search_id: str) -> str:
    """The state alone. Raises NotFound."""
    state = session.scalar(select(SearchRow.state).where(SearchRow.id == search_id))
    if state is None:
        raise NotFound(f"there is no search {search_id}")
    return state


def phase_of(session: Session, search_id: str) -> float | None:
    """When its present phase began: what was prepared doesn't change within one."""
    return session.scalar(select(SearchRow.phase_started_at).where(SearchRow.id == search_id))


def enter(session: Session, row: SearchRow, state: SearchState, reason: str = "") -> None:
    """Moves a search to a state and notes the times that go with it."""
    now = clock(session)
    row.state, row.state_reason, row.phase_started_at = state, reason, now
    if row.started_at is None and state is not SearchState.QUEUED:
        row.started_at = now
    if state in TERMINAL:
        row.finished_at = now


def page(session: Session, limit: int, before: str | None = None, state: str | None = None) -> Sequence[SearchRow]:
    """Newest first, at most `limit`, older than the id `before`."""
    query = select(SearchRow).order_by(SearchRow.id.desc()).limit(limit).options(*LONG)
    query = query.where(SearchRow.id < before) if before else query
    return session.scalars(query.where(SearchRow.state == state) if state else query).all()


def of_batch(session: Session, batch_id: str) -> Sequence[SearchRow]:
    """The searches of a batch in the order they were made."""
    query = select(SearchRow).where(SearchRow.batch_id == batch_id).order_by(SearchRow.id)
    return session.scalars(query.options(defer(SearchRow.prepared))).all()


def count_by_state(session: Session) -> dict[str, int]:
    """How many searches are in each state that occurs."""
    rows = session.execute(select(SearchRow.state, func.count()).group_by(SearchRow.state))
    return {state: count for state, count in rows}
