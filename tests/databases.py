"""Fixtures that run a test on SQLite and on PostgreSQL: import them into a conftest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from db.base import DatabaseError
from db.database import Database, open_database
from db.migrate import upgrade
from db.tables import TABLES
from tests.needs import missing
from tests.postgres import Postgres, PostgresMissing, binaries, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for all tests of this run."""
    try:
        binaries()
    except PostgresMissing:
        missing("PostgreSQL's server programs", "postgresql")
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """PostgreSQL databases with all tables and no rows, to be used again: making one takes a third of a second."""
    return []


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database of this test's own, with all tables."""
    if request.param == "sqlite":
        yield with_tables(f"sqlite:///{tmp_path / 'fitwright.db'}")
        return
    server: Postgres = request.getfixturevalue("postgres")
    spare: list[str] = request.getfixturevalue("spare_databases")
    url = spare.pop() if spare else with_tables(server.new_database())
    yield url
    if emptied(url):
        spare.append(url)


def with_tables(url: str) -> str:
    """The same address, once all tables are there."""
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


def emptied(url: str) -> bool:
    """Removes all rows; False where a test has left it in another state than that."""
    database = open_database(url)
    names = ", ".join(table.__tablename__ for table in TABLES)
    try:
        with database.write() as session:
            session.execute(text("SET LOCAL lock_timeout = '5s'"))
            session.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        upgrade(database)
    except (OperationalError, DatabaseError):
        return False
    finally:
        database.close()
    return True


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An open database with all tables, on SQLite and on PostgreSQL in turn."""
    opened = open_database(database_url)
    yield opened
    opened.close()
