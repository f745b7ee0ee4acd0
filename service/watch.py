"""What stops long waits and tells of them, whoever does the waiting: set once around a task, asked for deep inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from db import searches
from db.base import Json
from db.database import Database
from service.progress import set_progress


@dataclass(frozen=True)
class Watch:
    """`check` raises where the work should stop; `tell` shows what is being waited for, "" that it goes on."""

    check: Callable[[], None]
    tell: Callable[[str], None]


_WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


def watch() -> Watch:
    """Of the task that this thread works on; one that does nothing outside of tasks."""
    return _WATCH.get() or Watch(lambda: None, lambda _text: None)


@contextmanager
def watched(by: Watch) -> Iterator[None]:
    """Inside, `watch()` is this one."""
    token = _WATCH.set(by)
    try:
        yield
    finally:
        _WATCH.reset(token)


def search_teller(database: Database, search_id: str) -> Callable[[str], None]:
    """Shows a text as the progress of a search, and "" what stood there before."""
    before: list[Json] = []

    def tell(text: str) -> None:
        with database.write() as session:
            row = searches.lock(session, search_id)
            if row.over or not (text or before):
                return
            if not before:
                before.append(dict(row.progress))
            shown: Json = {"phase": text, "done": 0, "total": 0} if text else before.pop()
            set_progress(session, row, shown["phase"], shown["done"], shown["total"], shown.get("eta_s"))

    return tell
