"""Brings a database's tables to this version of the program."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.base import DatabaseError
from db.database import Database

_LOCK = 0x66697477
"""Any number, the same in every process: the advisory lock that one migration at a time holds on PostgreSQL."""


class NewerSchema(DatabaseError):
    """The database was written by a newer version of the program."""


def upgrade(database: Database, to: str = "head") -> None:
    """Runs the missing migrations, up to `to`, in one transaction; safe to call from many processes at once.

    Raises:
        NewerSchema: the tables are from a version that this one doesn't know; nothing is changed.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with database.write() as session:
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if _is_current(connection, ScriptDirectory.from_config(config)):
            return
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _is_current(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether nothing is to be done. Raises NewerSchema."""
    there = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if there is not None and there not in known:
        raise NewerSchema(
            f"the database is at schema {there!r}, which this version doesn't know: it was used by a newer one. "
            "Start that version, or name another database in FITWRIGHT_DATABASE_URL"
        )
    return there == scripts.get_current_head()
