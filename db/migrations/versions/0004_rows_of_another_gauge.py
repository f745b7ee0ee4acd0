"""Rows keep nothing of what an earlier gauge took: its work lay elsewhere in every process, and tells no clock."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_NOTHING = {"gauge_s": 0.0, "memory_s": 0.0}


def upgrade() -> None:
    rows = sa.table("measurements", sa.column("id"), sa.column("key"), sa.column("document", sa.JSON()))
    connection = op.get_bind()
    connection.execute(sa.delete(rows).where(rows.c.key == "gauge"))
    for number, document in connection.execute(sa.select(rows.c.id, rows.c.document)).all():
        if set(_NOTHING) & set(document):
            _update(rows, rows.c.id == number, document=document | _NOTHING)
    tables = sa.table("devices", sa.column("key"), sa.column("calibration", sa.JSON()))
    for key, calibration in connection.execute(sa.select(tables.c.key, tables.c.calibration)).all():
        if calibration and "basis" in calibration:
            basis = calibration["basis"] | _NOTHING
            _update(tables, tables.c.key == key, calibration=calibration | {"basis": basis})


def _update(table: sa.TableClause, where: sa.ColumnElement[bool], **values: Any) -> None:
    op.get_bind().execute(sa.update(table).where(where).values(**values))
