"""The migrations make the tables that the code declares."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from db.base import DatabaseError
from db.database import Database, open_database
from db.migrate import NewerSchema, upgrade
from db.tables import TABLES


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
    upgrade(database)
    with database.read() as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0001"


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
