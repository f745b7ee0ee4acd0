"""Rows that tests start from."""

from __future__ import annotations

from db.database import Database
from db.ids import new_id
from db.models import ModelRow
from db.queue import TaskKind, enqueue
from db.searches import SearchRow


def add_search(database: Database, tasks: int = 0) -> str:
    """A search over some model, with queued trial tasks 0, 1, ..."""
    model_id, search_id = new_id("mdl"), new_id("srh")
    with database.write() as session:
        session.add(ModelRow(id=model_id, name="m", sha256=model_id, file_bytes=1, facts={}, created_at=0.0))
        session.flush()
        session.add(
            SearchRow(id=search_id, name="", state="queued", request={}, model_id=model_id, progress={}, created_at=0.0)
        )
        session.flush()
        enqueue(session, search_id, TaskKind.TRIAL, range(tasks))
    return search_id
