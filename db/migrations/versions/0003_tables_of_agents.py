"""Agents on users' boards, and what they are asked to measure."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.Text(), primary_key=True),
        _needed("device", sa.Text(), index=True),
        _needed("machine", sa.Text()),
        _needed("runtimes", sa.JSON()),
        _needed("protocol", sa.BigInteger()),
        _needed("version", sa.Text()),
        *(_needed(name, sa.Double()) for name in ("first_seen_at", "last_seen_at")),
    )
    op.create_table(
        "measure_jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        *(_needed(name, sa.Text()) for name in ("device", "machine", "runtime", "version", "digest")),
        _needed("header", sa.JSON()),
        _needed("timeout_s", sa.Double()),
        *(_needed(name, sa.Text()) for name in ("request", "state", "agent")),
        *(_needed(name, sa.BigInteger()) for name in ("token", "attempt")),
        _needed("lease_until", sa.Double()),
        *(_needed(name, sa.Text()) for name in ("reply", "error")),
        _needed("waiting", sa.BigInteger()),
        _needed("created_at", sa.Double()),
        *(sa.Column(name, sa.Double()) for name in ("claimed_at", "taken_at", "finished_at")),
    )
    op.create_index(None, "measure_jobs", ["device", "state"])


def _needed(name: str, kind: Any, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, index=index)
