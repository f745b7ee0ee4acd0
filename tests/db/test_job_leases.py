"""Profile jobs: one worker at a time for each, and one job at a time for each device."""

from __future__ import annotations

import pytest

from db import profile_jobs as jobs
from db.database import Database
from db.ids import new_id
from db.profile_jobs import JobLease, JobState, ProfileJobRow
from db.queue import MAX_ATTEMPTS, StaleLease


def add(database: Database, device: str = "here") -> str:
    """A queued job."""
    row = ProfileJobRow(id=new_id("prj"), device=device, state="queued", request={}, progress={}, created_at=0.0)
    with database.write() as session:
        session.add(row)
    return row.id


def take(database: Database, worker: str = "w", lease_s: float = 30.0) -> JobLease | None:
    with database.write() as session:
        return jobs.claim(session, worker, lease_s)


def must_take(database: Database, worker: str = "w", lease_s: float = 30.0) -> JobLease:
    lease = take(database, worker, lease_s)
    assert lease is not None
    return lease


def test_a_device_is_measured_by_one_at_a_time(database: Database) -> None:
    """Two jobs of one device run one after the other, and another device's beside them."""
    first, second, other = add(database), add(database), add(database, "there")
    lease = must_take(database)
    assert (lease.job_id, must_take(database).job_id, take(database)) == (first, other, None)
    with database.write() as session:
        jobs.finish(session, lease, JobState.SUCCEEDED, {"rows": 3})
    assert must_take(database).job_id == second


def test_a_late_worker_is_refused(database: Database) -> None:
    """A job whose lease ran out is claimed anew; the first worker can neither note nor finish nor hold it."""
    add(database)
    late, new = must_take(database, "late", -1.0), must_take(database, "new")
    assert late.job_id == new.job_id
    with database.write() as session, pytest.raises(StaleLease):
        jobs.note(session, late, progress={"done": 1})
    with database.write() as session, pytest.raises(StaleLease):
        jobs.finish(session, late, JobState.SUCCEEDED)
    with database.write() as session:
        assert not jobs.renew(session, late, 30.0)
        assert jobs.renew(session, new, 30.0)


def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    """After three attempts that got nowhere it is exhausted; one that got further counts anew."""
    add(database)
    leases = [must_take(database, lease_s=-1.0) for _ in range(MAX_ATTEMPTS + 1)]
    assert [lease.exhausted for lease in leases] == [False, False, False, True]
    with database.write() as session:
        jobs.absolve(session, leases[-1])
    assert not must_take(database, lease_s=-1.0).exhausted


def test_a_released_job_is_as_if_never_claimed(database: Database) -> None:
    """That is no attempt."""
    add(database)
    lease = must_take(database)
    with database.write() as session:
        jobs.release(session, lease)
    assert must_take(database).attempt == 1


def test_cancelling(database: Database) -> None:
    """What nobody holds is over at once; whoever holds a job is asked, and what a dead worker held is claimed."""
    ids = [add(database, name) for name in ("a", "b", "c")]
    for _ in ids[1:]:
        must_take(database, "w")
    with database.write() as session:
        for job_id in ids:
            jobs.cancel(session, jobs.lock(session, job_id))
        states = [jobs.get(session, job_id).state for job_id in ids]
    assert states == ["cancelling", "cancelling", "cancelled"]
    with database.write() as session:
        jobs.expire(session, "w")
    assert take(database, "x") is not None
