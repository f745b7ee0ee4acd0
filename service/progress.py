"""What watchers are told: state changes, progress with the time left, finished trials, the best so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from db import events, searches, trials
from db.base import Json, clock
from db.database import Database
from db.searches import SearchRow, SearchState
from service.records import OPEN

EVERY_S = 0.25
"""Progress is written at most this often."""


def enter(session: Session, row: SearchRow, state: SearchState, reason: str = "") -> None:
    """Moves a search to a state and tells so."""
    searches.enter(session, row, state, reason)
    events.append(session, row.id, "state", {"state": str(state), "reason": reason, "outcome": row.outcome})


def set_progress(session: Session, row: SearchRow, phase: str, done: int, total: int, eta_s: float | None) -> None:
    """Keeps progress on the row and tells it; the caller holds the row's lock."""
    row.progress = {"phase": phase, "done": done, "total": total, "eta_s": None if eta_s is None else round(eta_s, 1)}
    events.append(session, row.id, "progress", dict(row.progress))


def count_trials(session: Session, row: SearchRow) -> tuple[int, int]:
    """Tells progress of the search phase; returns how many trials are finished, and how many there are."""
    counts = trials.count_by_state(session, row.id)
    made = sum(counts.values())
    done = made - sum(counts.get(state, 0) for state in OPEN)
    total = max(int(row.request.get("evaluations", 0)), made)
    spent = clock(session) - (row.phase_started_at or 0.0)
    set_progress(session, row, "searching", done, total, time_left(spent, done, total))
    return done, made


def time_left(spent_s: float, done: int, total: int) -> float | None:
    """Seconds until `total`, if it goes on as it did; None before the first."""
    return spent_s / done * max(0, total - done) if done > 0 else None


class Reporter:
    """Writes progress of a long step as it is called, but not more often than is worth reading."""

    def __init__(self, database: Database, search_id: str, check: Callable[[], None]) -> None:
        self._database = database
        self._search_id = search_id
        self._check = check
        self._phase: tuple[str, int, float] = ("", 0, 0.0)
        self._last = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Raises what `check` raises when the step should stop."""
        self._check()
        now = time.monotonic()
        if phase != self._phase[0]:
            self._phase, self._last = (phase, done, now), 0.0
        if now - self._last < EVERY_S and done < total:
            return
        self._last = now
        _, first, since = self._phase
        self._write(phase, done, total, time_left(now - since, done - first, total - first))

    def _write(self, phase: str, done: int, total: int, eta_s: float | None) -> None:
        with self._database.write() as session:
            row = searches.lock(session, self._search_id)
            if not row.over:
                set_progress(session, row, phase, done, total, eta_s)


def trial_event(trial: Json) -> Json:
    """A finished trial as watchers get it: without its recipe, which can be long."""
    return {name: value for name, value in trial.items() if name != "recipe"}
