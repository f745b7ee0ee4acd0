"""Measure jobs: requests for the agents of a device, held by lease, with a token that fences off late replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Index, Select, and_, false, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.agents import AgentRow
from db.base import Base, Json, NotFound, clock
from db.queue import StaleLease

MOST_ATTEMPTS = 5
REUSED_S = 3600.0
"""How long a reply that nobody has read serves whoever asks for the same: the one who asked first may have died."""
GRACE_S = 600.0
"""Beyond a request's own time, for carrying it there and its reply back, an agent may hold a job no longer."""
KEPT_S = 24 * 3600.0
"""How long jobs that are over are kept, with replies that nobody has read."""


class MeasureState(StrEnum):
    """QUEUED -> RUNNING -> DONE or FAILED; WITHDRAWN once nobody waits for it. RUNNING goes back when a lease ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


OVER = frozenset({MeasureState.DONE, MeasureState.FAILED, MeasureState.WITHDRAWN})


class MeasureJobRow(Base):
    """One request, for any agent of `device` on this kind of machine with this version of the runtime.

    `digest` tells equal requests. `request` and `reply` are hashes of frames in the blob store. `waiting` counts those
    who want the reply, `taken_at` says that it was read: a later request of the same kind is measured anew.
    """

    __tablename__ = "measure_jobs"
    __table_args__ = (Index(None, "device", "state"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str]
    machine: Mapped[str]
    runtime: Mapped[str]
    version: Mapped[str]
    digest: Mapped[str]
    header: Mapped[Json]
    timeout_s: Mapped[float]
    request: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    agent: Mapped[str] = mapped_column(default="")
    token: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float] = mapped_column(default=0.0)
    reply: Mapped[str] = mapped_column(default="")
    error: Mapped[str] = mapped_column(default="")
    waiting: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[float]
    claimed_at: Mapped[float | None]
    taken_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER


@dataclass(frozen=True)
class Grant:
    """The right of an agent to one job until its lease runs out; `token` is new with every claim."""

    job_id: str
    agent: str
    token: int


def join(session: Session, device: str, machine: str, digest: str) -> MeasureJobRow | None:
    """An equal request that is open, or was answered lately and nobody read it, with one more waiting for it."""
    same = (MeasureJobRow.device == device, MeasureJobRow.machine == machine, MeasureJobRow.digest == digest)
    lately = MeasureJobRow.finished_at > clock(session) - REUSED_S
    unread = and_(MeasureJobRow.state == MeasureState.DONE, MeasureJobRow.taken_at.is_(None), lately)
    wanted = or_(MeasureJobRow.state.in_((MeasureState.QUEUED, MeasureState.RUNNING)), unread)
    row = session.scalar(select(MeasureJobRow).where(*same, wanted).limit(1).with_for_update())
    if row is not None:
        row.waiting += 1
    return row


def lock(session: Session, job_id: str) -> MeasureJobRow:
    """The row as it stands, kept from everybody else until the transaction ends. Raises NotFound."""
    query = select(MeasureJobRow).where(MeasureJobRow.id == job_id).with_for_update()
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"there is no measure job {job_id}")
    return row


def claimable(session: Session, agent: AgentRow) -> bool:
    """Whether there is a job for this agent: a cheap look before taking the write lock."""
    return session.scalar(_claimable(agent, clock(session)).limit(1)) is not None


def claim(session: Session, agent: AgentRow, lease_s: float) -> MeasureJobRow | None:
    """The oldest job that this agent can do, now its own; None where there is none."""
    now = clock(session)
    give_up(session, agent.device)
    found = session.scalar(_claimable(agent, now).order_by(MeasureJobRow.id).limit(1).with_for_update(skip_locked=True))
    if found is None:
        return None
    row = lock(session, found)
    row.state, row.agent, row.lease_until, row.claimed_at = str(MeasureState.RUNNING), agent.id, now + lease_s, now
    row.token, row.attempt = row.token + 1, row.attempt + 1
    session.flush()
    return row


def held(session: Session, grant: Grant) -> MeasureJobRow:
    """The job of a grant, locked. Raises NotFound, and StaleLease where it is no longer this agent's."""
    row = lock(session, grant.job_id)
    if row.over:
        raise StaleLease(f"job {row.id} is {row.state}: nothing more is wanted of it")
    if (row.state, row.agent, row.token) != (MeasureState.RUNNING, grant.agent, grant.token):
        raise StaleLease(f"job {row.id} isn't this agent's with token {grant.token}: it was never given, or taken over")
    return row


def renew(session: Session, grant: Grant, lease_s: float) -> None:
    """Holds on to a job, but not for ever. Raises NotFound and StaleLease."""
    row, now = held(session, grant), clock(session)
    if now > (row.claimed_at or now) + row.timeout_s + GRACE_S:
        raise StaleLease(f"job {row.id} should have been answered within {row.timeout_s:g} s; another agent may try")
    row.lease_until = now + lease_s
    session.flush()


def finish(session: Session, row: MeasureJobRow, reply: str = "", error: str = "") -> None:
    """Ends a job: with the frame that answers it, or with the reason why there will be none."""
    row.state = str(MeasureState.FAILED if error else MeasureState.DONE)
    row.reply, row.error, row.lease_until, row.finished_at = reply, error, 0.0, clock(session)
    session.flush()


def put_back(session: Session, row: MeasureJobRow, blame: str = "") -> None:
    """Queues a job again; with `blame` its attempt counts, and the last one allowed ends it with that reason."""
    if blame and row.attempt >= MOST_ATTEMPTS:
        finish(session, row, error=f"given up after {row.attempt} attempts; the last: {blame}")
        return
    row.state, row.agent, row.lease_until = str(MeasureState.QUEUED), "", 0.0
    row.attempt -= 0 if blame else 1
    session.flush()


def give_up(session: Session, device: str) -> None:
    """Ends the jobs of a device that so many agents have died of."""
    now = clock(session)
    dead = (MeasureJobRow.state == MeasureState.RUNNING, MeasureJobRow.lease_until < now)
    worn = (MeasureJobRow.device == device, MeasureJobRow.attempt >= MOST_ATTEMPTS)
    reason = f"given up: {MOST_ATTEMPTS} agents fell silent while they worked on it"
    ended = {"state": str(MeasureState.FAILED), "error": reason, "finished_at": now}
    query = update(MeasureJobRow).where(*dead, *worn).values(**ended)
    session.execute(query.execution_options(synchronize_session=False))


def leave(session: Session, job_id: str, taken: bool) -> MeasureJobRow | None:
    """One of those who wait has read the reply (`taken`) or wants it no more; the job, where nobody else waits for it.

    A job that nobody waits for is withdrawn, and an agent that has it hears so when it renews its lease.
    """
    row = lock(session, job_id)
    row.waiting = max(0, row.waiting - 1)
    now = clock(session)
    row.taken_at = now if taken else row.taken_at
    if not row.waiting and not row.over:
        row.state, row.finished_at = str(MeasureState.WITHDRAWN), now
    session.flush()
    return None if row.waiting else row


def count_by_state(session: Session, device: str) -> dict[str, int]:
    """How many jobs of a device are in each state that occurs."""
    query = select(MeasureJobRow.state, func.count()).where(MeasureJobRow.device == device)
    return {state: count for state, count in session.execute(query.group_by(MeasureJobRow.state))}


def of_ids(session: Session, job_ids: Sequence[str]) -> Sequence[MeasureJobRow]:
    """These jobs as they stand, oldest first."""
    query = select(MeasureJobRow).where(MeasureJobRow.id.in_(job_ids)).order_by(MeasureJobRow.id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def sweep(session: Session) -> Sequence[MeasureJobRow]:
    """Forgets jobs that were over for KEPT_S; returns them, so that their frames can be removed."""
    old = MeasureJobRow.finished_at < clock(session) - KEPT_S
    rows = session.scalars(select(MeasureJobRow).where(old)).all()
    for row in rows:
        session.delete(row)
    return rows


def _claimable(agent: AgentRow, now: float) -> Select[str]:
    expired = and_(MeasureJobRow.state == MeasureState.RUNNING, MeasureJobRow.lease_until < now)
    free = or_(MeasureJobRow.state == MeasureState.QUEUED, expired)
    fits = (MeasureJobRow.device == agent.device, MeasureJobRow.machine == agent.machine)
    return select(MeasureJobRow.id).where(free, *fits, _has_runtime(agent), MeasureJobRow.attempt < MOST_ATTEMPTS)


def _has_runtime(agent: AgentRow) -> ColumnElement[bool]:
    columns = MeasureJobRow.runtime, MeasureJobRow.version
    return or_(false(), *(and_(columns[0] == name, columns[1] == v) for name, v in agent.runtimes.items()))
