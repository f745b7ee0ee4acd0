"""Agents: programs on users' boards that have come to serve a device. All times are the database's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, Json, NotFound, clock
from db.ids import new_id
from db.measurements import TableRow

LIVE_S = 60.0
"""An agent that was heard of within this time counts as there: one that waits for work asks again sooner."""


@dataclass(frozen=True)
class Board:
    """What an agent says of the machine that it runs on: its `machine_key`, and runtime -> version."""

    machine: str
    runtimes: dict[str, str]


class AgentRow(Base):
    """One start of the program. `device` is an own device without settings."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    machine: Mapped[str]
    runtimes: Mapped[Json]
    protocol: Mapped[int]
    version: Mapped[str]
    first_seen_at: Mapped[float]
    last_seen_at: Mapped[float]


def register(session: Session, device: str, board: Board, protocol: int, version: str) -> AgentRow:
    """A new agent of a device; whoever calls has checked that it may serve it."""
    now = clock(session)
    times = {"first_seen_at": now, "last_seen_at": now}
    about = {"machine": board.machine, "runtimes": dict(board.runtimes), "protocol": protocol, "version": version}
    row = AgentRow(id=new_id("agt"), device=device, **about, **times)
    session.add(row)
    session.flush()
    return row


def get(session: Session, agent_id: str) -> AgentRow:
    """Raises NotFound."""
    row = session.get(AgentRow, agent_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no agent {agent_id}; register it first")
    return row


def of_device(session: Session, device: str) -> Sequence[AgentRow]:
    """Those that ever served a device, the latest start first."""
    query = select(AgentRow).where(AgentRow.device == device)
    return session.scalars(query.order_by(AgentRow.first_seen_at.desc(), AgentRow.id.desc())).all()


def newest(session: Session, device: str) -> AgentRow | None:
    """The one that was started last: its machine and runtimes are those that the device has."""
    query = select(AgentRow).where(AgentRow.device == device)
    return session.scalar(query.order_by(AgentRow.first_seen_at.desc(), AgentRow.id.desc()).limit(1))


def last_seen(session: Session, device: str, machine: str, runtime: str, version: str) -> float | None:
    """When any agent that can do work for this kind of machine and version of a runtime was heard of last."""
    query = select(AgentRow).where(AgentRow.device == device, AgentRow.machine == machine)
    rows = session.scalars(query.order_by(AgentRow.last_seen_at.desc()))
    return next((row.last_seen_at for row in rows if row.runtimes.get(runtime) == version), None)


def has_table(session: Session, device: str, machine: str, version: str) -> bool:
    """Whether the device, with any settings, has measurements of this kind of machine and version of its runtime."""
    mine = (TableRow.device == device) | TableRow.device.startswith(f"{device}@", autoescape=True)
    query = select(TableRow.key).where(mine, TableRow.machine == machine, TableRow.version == version)
    return session.scalar(query.limit(1)) is not None


def seen(session: Session, agent_id: str) -> None:
    """Notes that an agent was heard of."""
    query = update(AgentRow).where(AgentRow.id == agent_id).values(last_seen_at=clock(session))
    session.execute(query.execution_options(synchronize_session=False))


def remove(session: Session, device: str) -> None:
    """Forgets the agents of a device that is no more."""
    session.execute(delete(AgentRow).where(AgentRow.device == device))
