"""The first tables. Migrations only go forward; the way back is a backup."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _uploads()
    _figures()
    _searches()
    _schedules()


def _uploads() -> None:
    for table, more in (("models", []), ("datasets", [_text("suffix")])):
        op.create_table(
            table,
            *(_key("id"), _text("name"), _text("sha256"), *more, _whole("file_bytes"), _json("facts")),
            _time("created_at"),
            sa.UniqueConstraint("sha256"),
        )


def _figures() -> None:
    op.create_table("devices", _key("key"), _text("device", index=True), _time("created_at"))
    op.create_table(
        "measurements",
        _counter(),
        _text("device_key", to="devices.key"),
        *(_text("key"), _json("document"), _time("created_at")),
        sa.UniqueConstraint("device_key", "key"),
    )
    op.create_table(
        "sensitivities",
        _counter(),
        *(_text("scope"), _text("key"), _json("document"), _time("created_at")),
        sa.UniqueConstraint("scope", "key"),
    )


def _searches() -> None:
    op.create_table(
        "batches",
        _key("id"),
        *(_text("name"), _json("request"), _text("template", index=True), _time("created_at")),
    )
    op.create_table(
        "searches",
        _key("id"),
        *(_text("name"), _text("state", index=True), _text("state_reason"), _text("outcome"), _json("request")),
        _text("model_id", to="models.id"),
        _text("dataset_id", to="datasets.id", nullable=True),
        _text("batch_id", to="batches.id", nullable=True, index=True),
        *(_json("progress"), _json("best", True), _json("prepared", True), _json("result", True)),
        *(_time("created_at"), _time("started_at", True), _time("phase_started_at", True), _time("finished_at", True)),
    )
    op.create_table(
        "trials",
        *(_counter(), _of_search(), _whole("number"), _text("origin"), _text("state")),
        *(_json("recipe"), _json("costs"), _json("quality"), _text("error"), _json("finalist", True)),
        *(_time("started_at", True), _time("finished_at", True)),
        sa.UniqueConstraint("search_id", "number"),
    )
    op.create_table(
        "tasks",
        *(_counter(), _of_search(), _text("kind"), _whole("number"), _text("state"), _text("worker")),
        *(_time("lease_until"), _whole("token"), _whole("attempt")),
        sa.UniqueConstraint("search_id", "kind", "number"),
    )
    op.create_index(None, "tasks", ["state", "lease_until"])
    op.create_index(None, "tasks", ["search_id", "state"])
    op.create_table(
        "events",
        *(_counter(), _of_search(), _text("kind"), _json("data"), _time("created_at")),
        sqlite_autoincrement=True,
    )
    op.create_index(None, "events", ["search_id", "id"])
    op.create_table(
        "artefacts",
        *(_counter(), _of_search(), _text("name"), _text("sha256"), _whole("file_bytes"), _time("created_at")),
        sa.UniqueConstraint("search_id", "name"),
    )


def _schedules() -> None:
    op.create_table(
        "schedules",
        *(_key("id"), _text("name"), _text("cron"), _text("zone"), _json("request")),
        *(_time("next_run_at", True, index=True), _time("created_at")),
    )
    op.create_table(
        "schedule_runs",
        _counter(),
        sa.Column("schedule_id", sa.Text(), sa.ForeignKey("schedules.id", ondelete="CASCADE"), nullable=False),
        *(_time("due_at"), _text("batch_id", to="batches.id", nullable=True), _text("error"), _time("created_at")),
        sa.UniqueConstraint("schedule_id", "due_at"),
    )
    op.create_table(
        "replies",
        *(_key("key"), _text("body"), _json("reply"), _time("created_at", index=True)),
    )


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), primary_key=True)


def _counter() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)


def _of_search() -> sa.Column[Any]:
    return _text("search_id", to="searches.id")


def _text(name: str, to: str = "", nullable: bool = False, index: bool = False) -> sa.Column[Any]:
    keys = [sa.ForeignKey(to)] if to else []
    return sa.Column(name, sa.Text(), *keys, nullable=nullable, index=index)


def _whole(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _time(name: str, nullable: bool = False, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Double(), nullable=nullable, index=index)


def _json(name: str, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=nullable)
