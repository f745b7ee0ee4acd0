"""The queue: a table of tasks that workers hold by lease, with a token that fences off late ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    CursorResult,
    Executable,
    ForeignKey,
    Index,
    Select,
    UniqueConstraint,
    Update,
    and_,
    bindparam,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from db.base import Base, BigKey, clock
from db.upsert import insert_new

MAX_ATTEMPTS = 3


class TaskKind(StrEnum):
    """What there is to do for a search, in this order.

    `number` is a trial's; for `advance` the trials so far, for `conclude` how often the search went on.
    """

    PREPARE = "prepare"
    ADVANCE = "advance"
    TRIAL = "trial"
    FINISH = "finish"
    CONCLUDE = "conclude"


class StaleLease(Exception):
    """The lease ran out and somebody else has the task, or it was dropped: this result doesn't count."""


class TaskRow(Base):
    """QUEUED -> RUNNING -> DONE or DROPPED. A running task whose lease ran out may be claimed again."""

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("search_id", "kind", "number"),
        Index(None, "state", "lease_until"),
        Index(None, "search_id", "state"),
    )

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    search_id: Mapped[str] = mapped_column(ForeignKey("searches.id"))
    kind: Mapped[str]
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default="queued")
    worker: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[float] = mapped_column(default=0.0)
    token: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)


@dataclass(frozen=True)
class Lease:
    """The right to work on a task until it runs out; `token` is new with every claim."""

    task_id: int
    search_id: str
    kind: TaskKind
    number: int
    worker: str
    token: int
    attempt: int

    @property
    def exhausted(self) -> bool:
        """Whether so many workers died of this task that it should be given up."""
        return self.attempt > MAX_ATTEMPTS


def enqueue(session: Session, search_id: str, kind: TaskKind, numbers: Iterable[int] = (0,)) -> None:
    """Adds tasks; those that were ever added before stay as they are."""
    blank = {"state": "queued", "worker": "", "lease_until": 0.0, "token": 0, "attempt": 0}
    insert_new(session, TaskRow, [{"search_id": search_id, "kind": kind, "number": n} | blank for n in numbers])


def waiting(session: Session, search_id: str | None = None) -> bool:
    """Whether there is anything to claim: a cheap look before taking the write lock."""
    return session.scalar(_claimable(clock(session), search_id).limit(1)) is not None


def claim(session: Session, worker: str, lease_s: float, search_id: str | None = None) -> Lease | None:
    """Takes the oldest task of the search with the fewest running ones, or None; of one search only, if given."""
    now = clock(session)
    values = {"now": now, "until": now + lease_s, "by": worker, "only": search_id}
    row = session.execute(_claim_query(search_id is not None), values).one_or_none()
    if row is None:
        return None
    return Lease(row.id, row.search_id, TaskKind(row.kind), row.number, worker, row.token, row.attempt)


def renew(session: Session, lease: Lease, lease_s: float) -> bool:
    """Holds on to a task; False when it is lost."""
    return _change(session, lease, lease_until=clock(session) + lease_s)


def complete(session: Session, lease: Lease, state: str = "done") -> None:
    """Ends a task (`done` or `dropped`), in the transaction that writes its result. Raises StaleLease."""
    if not _change(session, lease, state=state, worker=""):
        raise StaleLease(f"{lease.kind} {lease.number} of search {lease.search_id} was taken over or dropped")


def release(session: Session, lease: Lease) -> None:
    """Gives a task back untouched (the worker was told to stop); it doesn't count as an attempt."""
    _change(session, lease, state="queued", worker="", lease_until=0.0, attempt=lease.attempt - 1)


def expire(session: Session, worker: str, blame: bool = True) -> int:
    """Ends the leases of a worker that is known to be dead; returns how many it had.

    Without `blame` (it was ended on purpose) the task's attempt doesn't count.
    """
    spent = TaskRow.attempt - (0 if blame else 1)
    query = update(TaskRow).where(TaskRow.worker == worker, TaskRow.state == "running")
    return _rowcount(session.execute(_plain(query.values(lease_until=0.0, attempt=spent))))


def absolve(session: Session, lease: Lease) -> None:
    """Notes that the task got further: a worker that dies from here on counts as the first."""
    _change(session, lease, attempt=1)


def drop_queued(session: Session, search_id: str) -> int:
    """Takes back what nobody has begun, or whose lease ran out; returns how many tasks are still running."""
    nobodys = _claimable(clock(session), search_id).scalar_subquery()
    session.execute(_plain(update(TaskRow).where(TaskRow.id.in_(nobodys)).values(state="dropped", worker="")))
    running = select(func.count()).where(TaskRow.search_id == search_id, TaskRow.state == "running")
    return session.scalar(running) or 0


def open_tasks(session: Session, search_id: str, kind: TaskKind) -> int:
    """How many tasks of a kind are queued or running."""
    mine = and_(TaskRow.search_id == search_id, TaskRow.kind == kind, TaskRow.state.in_(("queued", "running")))
    return session.scalar(select(func.count()).select_from(TaskRow).where(mine)) or 0


def made(session: Session, search_id: str, kind: TaskKind) -> int:
    """How many tasks of a kind there have ever been."""
    mine = and_(TaskRow.search_id == search_id, TaskRow.kind == kind)
    return session.scalar(select(func.count()).select_from(TaskRow).where(mine)) or 0


def running_workers(session: Session) -> list[str]:
    """The names of all workers that hold a task."""
    return list(session.scalars(select(TaskRow.worker).where(TaskRow.state == "running").distinct()))


def _claimable(now: float | BindParameter[float], search_id: str | BindParameter[str] | None) -> Select[int]:
    expired = and_(TaskRow.state == "running", TaskRow.lease_until < now)
    query = select(TaskRow.id).where(or_(TaskRow.state == "queued", expired))
    return query if search_id is None else query.where(TaskRow.search_id == search_id)


@cache
def _claim_query(of_one_search: bool) -> Executable:
    """Built once: it is the longest statement there is, and run for every task."""
    now: BindParameter[float] = bindparam("now")
    only: BindParameter[str] | None = bindparam("only") if of_one_search else None
    other = aliased(TaskRow)
    busy = select(func.count()).where(
        other.search_id == TaskRow.search_id, other.state == "running", other.lease_until >= now
    )
    first = _claimable(now, only).order_by(busy.scalar_subquery(), TaskRow.id).limit(1)
    mine = first.with_for_update(skip_locked=True, of=TaskRow).scalar_subquery()
    values = {"state": "running", "worker": bindparam("by"), "lease_until": bindparam("until")}
    counted = {"token": TaskRow.token + 1, "attempt": TaskRow.attempt + 1}
    query = update(TaskRow).where(TaskRow.id == mine).values(**values, **counted)
    found = (TaskRow.id, TaskRow.search_id, TaskRow.kind, TaskRow.number, TaskRow.token, TaskRow.attempt)
    return _plain(query).returning(*found)


def _change(session: Session, lease: Lease, **values: Any) -> bool:
    """Updates the task if the lease still holds."""
    held = (TaskRow.id == lease.task_id, TaskRow.token == lease.token, TaskRow.state == "running")
    return _rowcount(session.execute(_plain(update(TaskRow).where(*held).values(**values)))) == 1


def _plain(query: Update) -> Update:
    """Without a look for loaded rows that it changes: tasks are only ever changed by statements."""
    return query.execution_options(synchronize_session=False)


def _rowcount(result: Any) -> int:
    return cast("CursorResult[Any]", result).rowcount
