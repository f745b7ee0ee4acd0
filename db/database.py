"""A Database: one engine with transactions for reading and for writing."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, OperationalError
from sqlalchemy.orm import Session

import db.tables  # noqa: F401 - a query on one table needs to know the tables that it refers to
from db.base import DatabaseError

BUSY_TIMEOUT_S = 30.0
"""How long a SQLite writer waits for the one before it."""
STALLED_S = 15.0
"""After which PostgreSQL takes its locks back from a client that fell silent in mid-transaction."""
UNAVAILABLE = (OperationalError, InternalError, InterfaceError)
"""What a database that is away, restarting or full raises: worth trying again."""


class Database:
    """One engine. `read()` sees a consistent snapshot; `write()` commits at its end or leaves nothing behind."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(immediate=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that never commits and never waits for a writer."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds SQLite's one write lock from the start, so that it can't be refused at its end."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Opens `sqlite:///path` or `postgresql+psycopg://...`; connects only when first used.

    Raises:
        DatabaseError: the address names no database that is supported.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseError(f"{url!r} is no database address; try sqlite:////path/to/fitwright.db") from error
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return Database(_sqlite(url))
    if parsed.drivername == "postgresql+psycopg":
        options = {"connect_timeout": 10, "options": f"-c idle_in_transaction_session_timeout={STALLED_S * 1000:.0f}"}
        return Database(create_engine(url, pool_pre_ping=True, connect_args=options))
    raise DatabaseError(
        f"{parsed.render_as_string(hide_password=True)} can't be used: give sqlite:////path/to/file.db or "
        "postgresql+psycopg://user:password@host/name"
    )


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions on its own
        _write_ahead(connection)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("immediate", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


def _write_ahead(connection: Any) -> None:
    """Sets the write-ahead log; SQLite refuses this one change at once while another process has the file, so wait."""
    end = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)
