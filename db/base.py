"""The declarative base of all tables, the errors, and the clock."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import JSON, BigInteger, Double, Integer, MetaData, Text, text
from sqlalchemy.orm import DeclarativeBase, Session

Json = dict[str, Any]
BigKey = BigInteger().with_variant(Integer, "sqlite")
"""An integer primary key that counts up by itself on both databases."""


class DatabaseError(Exception):
    """The database can't be used as it is set up."""


class NotFound(DatabaseError):
    """There is no row with this id."""


class Base(DeclarativeBase):
    """Every table. Times are seconds since 1970 (UTC), named `..._at`; documents are JSON."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - read once by SQLAlchemy
        Json: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
        str: Text(),
        int: BigInteger(),
        float: Double(),
    }


def clock(session: Session) -> float:
    """The database's own time: one clock for workers on many hosts."""
    if session.get_bind().dialect.name == "sqlite":
        return time.time()
    return float(session.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0.0)
