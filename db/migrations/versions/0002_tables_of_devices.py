"""Tables know what they hold for and how they were calibrated; own devices; profile jobs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("runtime", "version", "machine"):
        op.add_column("devices", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("devices", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("devices", sa.Column("calibration", sa.JSON()))
    _read_keys()
    op.create_table(
        "own_devices",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
    )
    _profile_jobs()


def _read_keys() -> None:
    """A key was `device | runtime version | machine`, whatever the device; it stays as it is."""
    table = sa.table("devices", *(sa.column(name) for name in ("key", "runtime", "version", "machine")))
    connection = op.get_bind()
    for key in connection.scalars(sa.select(table.c.key)).all():
        _, runtime, machine = [*str(key).split(" | ", 2), "", ""][:3]
        name, _, version = runtime.partition(" ")
        found = {"runtime": name, "version": version, "machine": machine}
        connection.execute(sa.update(table).where(table.c.key == key).values(**found))


def _profile_jobs() -> None:
    op.create_table(
        "profile_jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        *(_needed(name, sa.Text(), index=True) for name in ("device", "state")),
        *(_needed(name, sa.JSON()) for name in ("request", "progress")),
        *(_needed(name, sa.Text()) for name in ("task", "table_key")),
        sa.Column("result", sa.JSON()),
        *(_needed(name, sa.Text()) for name in ("error", "worker")),
        _needed("lease_until", sa.Double()),
        *(_needed(name, sa.BigInteger()) for name in ("token", "attempt")),
        _needed("created_at", sa.Double()),
        *(sa.Column(name, sa.Double()) for name in ("started_at", "finished_at")),
    )


def _needed(name: str, kind: Any, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, index=index)
