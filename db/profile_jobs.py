"""Profile jobs: a device's table is measured or checked. Held by lease, with a token that fences off late workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import CursorResult, Select, and_, or_, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from db.base import Base, Json, NotFound, clock
from db.queue import MAX_ATTEMPTS, StaleLease


class JobState(StrEnum):
    """QUEUED -> RUNNING -> SUCCEEDED or FAILED; CANCELLING is a request, CANCELLED a fact."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})
HELD = (JobState.RUNNING, JobState.CANCELLING)


class ProfileJobRow(Base):
    """One job. `task` (profile or check) and `table_key` are noted when work begins; `device` has its settings."""

    __tablename__ = "profile_jobs"

    id: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(index=True)
    request: Mapped[Json]
    progress: Mapped[Json]
    task: Mapped[str] = mapped_column(default="")
    table_key: Mapped[str] = mapped_column(default="")
    result: Mapped[Json | None]
    error: Mapped[str] = mapped_column(default="")
    worker: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[float] = mapped_column(default=0.0)
    token: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER


@dataclass(frozen=True)
class JobLease:
    """The right to work on a job until it runs out; `token` is new with every claim."""

    job_id: str
    worker: str
    token: int
    attempt: int

    @property
    def exhausted(self) -> bool:
        """Whether so many workers died of this job that it should be given up."""
        return self.attempt > MAX_ATTEMPTS


def get(session: Session, job_id: str) -> ProfileJobRow:
    """As it stands now. Raises NotFound."""
    row = session.get(ProfileJobRow, job_id, populate_existing=True)
    if row is None:
        raise NotFound(f"there is no profile job {job_id}")
    return row


def page(session: Session, limit: int, before: str | None = None, device: str | None = None) -> Sequence[ProfileJobRow]:
    """Newest first, at most `limit`, older than the id `before`; of one device only, if given."""
    query = select(ProfileJobRow).order_by(ProfileJobRow.id.desc()).limit(limit)
    query = query.where(ProfileJobRow.id < before) if before else query
    return session.scalars(query.where(ProfileJobRow.device == device) if device else query).all()


def unfinished(session: Session, device: str) -> ProfileJobRow | None:
    """The latest job of a device that isn't over."""
    query = select(ProfileJobRow).where(ProfileJobRow.device == device, ProfileJobRow.state.not_in(OVER))
    return session.scalar(query.order_by(ProfileJobRow.id.desc()).limit(1))


def open_jobs(session: Session) -> Sequence[ProfileJobRow]:
    """Every job that isn't over."""
    return session.scalars(select(ProfileJobRow).where(ProfileJobRow.state.not_in(OVER))).all()


def waiting(session: Session) -> bool:
    """Whether there is anything to claim: a cheap look before taking the write lock."""
    return session.scalar(_claimable(clock(session)).limit(1)) is not None


def claim(session: Session, worker: str, lease_s: float, job_id: str | None = None) -> JobLease | None:
    """Takes the oldest job whose device nobody else measures, or None; a certain one only, if given.

    A job that was being cancelled when its worker fell silent is claimed too: whoever has it ends it.
    """
    now = clock(session)
    query = _claimable(now) if job_id is None else _claimable(now).where(ProfileJobRow.id == job_id)
    found = session.scalar(query.order_by(ProfileJobRow.id).limit(1).with_for_update(skip_locked=True))
    if found is None:
        return None
    row = get(session, found)
    row.state = str(JobState.RUNNING) if row.state == JobState.QUEUED else row.state
    row.worker, row.lease_until = worker, now + lease_s
    row.token, row.attempt, row.started_at = row.token + 1, row.attempt + 1, row.started_at or now
    session.flush()
    return JobLease(row.id, worker, row.token, row.attempt)


def renew(session: Session, lease: JobLease, lease_s: float) -> bool:
    """Holds on to a job; False when it is lost."""
    return _change(session, lease, lease_until=clock(session) + lease_s)


def absolve(session: Session, lease: JobLease) -> None:
    """Notes that the job got further: a worker that dies from here on counts as the first."""
    _change(session, lease, attempt=1)


def note(session: Session, lease: JobLease, **values: Any) -> None:
    """Writes progress, or what the job is about. Raises StaleLease."""
    if not _change(session, lease, **values):
        raise StaleLease(f"profile job {lease.job_id} was taken over")


def finish(session: Session, lease: JobLease, state: JobState, result: Json | None = None, error: str = "") -> None:
    """Ends a job. Raises StaleLease."""
    ended = {"result": result, "error": error, "finished_at": clock(session)}
    note(session, lease, state=str(state), worker="", lease_until=0.0, **ended)


def release(session: Session, lease: JobLease) -> None:
    """Gives a job back (the worker was told to stop); it doesn't count as an attempt."""
    back = {"worker": "", "lease_until": 0.0, "attempt": lease.attempt - 1}
    _change(session, lease, only=JobState.RUNNING, state=str(JobState.QUEUED), **back)


def cancel(session: Session, row: ProfileJobRow) -> None:
    """Ends a job that nobody holds at once; asks whoever holds it to stop."""
    held = row.state in HELD and row.lease_until >= clock(session)
    row.state = str(JobState.CANCELLING if held else JobState.CANCELLED)
    if not held:
        row.finished_at = clock(session)
    session.flush()


def lock(session: Session, job_id: str) -> ProfileJobRow:
    """The row, kept from everybody else until the transaction ends. Raises NotFound."""
    query = select(ProfileJobRow).where(ProfileJobRow.id == job_id).with_for_update()
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"there is no profile job {job_id}")
    return row


def running_workers(session: Session) -> list[str]:
    """The names of all workers that hold a job."""
    return list(session.scalars(select(ProfileJobRow.worker).where(ProfileJobRow.state.in_(HELD)).distinct()))


def expire(session: Session, worker: str, blame: bool = True) -> None:
    """Ends the leases of a worker that is known to be dead; without `blame` its attempt doesn't count."""
    spent = ProfileJobRow.attempt - (0 if blame else 1)
    query = update(ProfileJobRow).where(ProfileJobRow.worker == worker, ProfileJobRow.state.in_(HELD))
    query = query.values(lease_until=0.0, attempt=spent)
    session.execute(query.execution_options(synchronize_session=False))


def _claimable(now: float) -> Select[str]:
    other = aliased(ProfileJobRow)
    held = and_(other.device == ProfileJobRow.device, other.state.in_(HELD), other.lease_until >= now)
    lost = and_(ProfileJobRow.state.in_(HELD), ProfileJobRow.lease_until < now)
    free = or_(ProfileJobRow.state == JobState.QUEUED, lost)
    return select(ProfileJobRow.id).where(free, ~select(other.id).where(held).exists())


def _change(session: Session, lease: JobLease, only: JobState | None = None, **values: Any) -> bool:
    """Updates the job if the lease still holds."""
    states = HELD if only is None else (only,)
    held = (ProfileJobRow.id == lease.job_id, ProfileJobRow.token == lease.token, ProfileJobRow.state.in_(states))
    query = update(ProfileJobRow).where(*held).values(**values).execution_options(synchronize_session=False)
    return cast("CursorResult[Any]", session.execute(query)).rowcount == 1
