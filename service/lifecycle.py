"""How a search ends: cancelled, failed or succeeded, and what goes with it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from db import queue, searches
from db.searches import SearchRow, SearchState
from service.errors import Conflict
from service.progress import enter


def cancel(session: Session, search_id: str) -> SearchRow:
    """Drops what is queued; the search is cancelled as soon as nothing of it runs. Cancelling twice is fine.

    Raises:
        Conflict: it has already succeeded or failed.
    """
    row = searches.lock(session, search_id)
    if row.state in (SearchState.CANCELLED, SearchState.CANCELLING):
        return row
    if row.over:
        raise Conflict(f"search {search_id} has already {row.state}; there is nothing to cancel")
    enter(session, row, SearchState.CANCELLING)
    settle_cancelled(session, row)
    return row


def settle_cancelled(session: Session, row: SearchRow) -> None:
    """Makes a cancelling search cancelled if none of its tasks is still running."""
    if row.state == SearchState.CANCELLING and queue.drop_queued(session, row.id) == 0:
        enter(session, row, SearchState.CANCELLED, "cancelled by request")


def fail(session: Session, row: SearchRow, reason: str) -> None:
    """Ends a search with the reason; its trials stay to be looked at."""
    queue.drop_queued(session, row.id)
    enter(session, row, SearchState.FAILED, reason)
