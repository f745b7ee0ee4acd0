"""The migrations make the tables that the code declares."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from db import measurements
from db.base import DatabaseError
from db.database import Database, open_database
from db.measurements import TableId
from db.migrate import NewerSchema, upgrade
from db.tables import TABLES
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def first_version(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database as the first version of the program left it."""
    url = f"sqlite:///{tmp_path / 'first.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_database()
    opened = open_database(url)
    upgrade(opened, "0001")
    yield opened
    opened.close()


def test_migrated_tables_are_the_declared_ones(database: Database) -> None:
    """After all migrations there's nothing left that autogenerate would change."""
    with database.read() as session:
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, TABLES[0].metadata) == []


def test_every_table_is_listed() -> None:
    """A table that isn't in TABLES would be missing from nothing but this test."""
    assert {table.__tablename__ for table in TABLES} == set(TABLES[0].metadata.tables)


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    """A service that starts on an up-to-date database goes straight on."""
    with database.read() as session:
        there = session.scalar(text("SELECT version_num FROM alembic_version"))
    upgrade(database)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == there >= "0002"


def test_a_database_of_the_first_version_is_brought_up_to_date(first_version: Database) -> None:
    """Its tables of timings keep their keys and rows, and know device, runtime, version and machine from the key."""
    key = "local-onnxruntime | onnxruntime 1.30.0 | AMD EPYC, 2 cores, 3f0c91d2"
    with first_version.write() as session:
        session.execute(text("INSERT INTO devices VALUES (:key, 'local-onnxruntime', 7.0)"), {"key": key})
        session.execute(text("INSERT INTO measurements VALUES (1, :key, 'a', '{\"key\": \"a\"}', 7.0)"), {"key": key})
    upgrade(first_version)
    with first_version.read() as session:
        row = measurements.newest(session, "local-onnxruntime", version="1.30.0")
        assert row is not None
        assert (row.key, row.table.key, row.calibration, row.generation) == (key, key, None, 1)
        assert measurements.of_table(session, key) == [{"key": "a"}]
        context = MigrationContext.configure(session.connection())
        assert compare_metadata(context, TABLES[0].metadata) == []


def test_rows_and_calibrations_forget_an_earlier_gauge(first_version: Database) -> None:
    """Times of its works would be held against those of today's; everything else stays."""
    upgrade(first_version, "0003")
    timed = {"key": "a", "latency_s": 1e-5, "gauge_s": 2.7e-5, "memory_s": 4e-5}
    basis = {"gauge_s": 2.1e-5, "memory_s": 4.4e-5, "near_mb": 2.0}
    calibration = {"factors": {"call": 1.0}, "basis": basis}
    table = TableId("board", "onnxruntime", "1.30.0", "some CPU")
    with first_version.write() as session:
        for document in (timed, {"key": "b"}, {"key": "gauge"}):
            measurements.add(session, table, document, at=7.0)
        measurements.calibrate(session, table.key, calibration)
    upgrade(first_version)
    with first_version.read() as session:
        assert measurements.of_table(session, table.key) == [timed | {"gauge_s": 0.0, "memory_s": 0.0}, {"key": "b"}]
        kept = measurements.get(session, table.key).calibration
        assert kept == {"factors": {"call": 1.0}, "basis": {"gauge_s": 0.0, "memory_s": 0.0, "near_mb": 2.0}}


def test_newer_schema_is_refused(database: Database) -> None:
    """A database of a later version is named as such and left alone."""
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerSchema, match="'9999'"):
        upgrade(database)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://u@h/d"])
def test_unusable_addresses_are_refused_with_the_remedy(url: str) -> None:
    """Only a SQLite file or PostgreSQL by psycopg can be opened."""
    with pytest.raises(DatabaseError, match="sqlite:////"):
        open_database(url)


def test_a_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    """Two processes that open a new SQLite file at once: the second waits until the first let go, and goes on."""
    path = tmp_path / "new.db"
    first = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    first.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, first.close).start()
    second = open_database(f"sqlite:///{path}")
    upgrade(second)
    with second.read() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
    second.close()
