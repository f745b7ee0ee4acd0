"""Profile jobs as users know them: asked for, cancelled, worked on. What is measured stays, whoever measured it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.orm import Session

from db import measurements, profile_jobs
from db.base import Json, clock
from db.database import UNAVAILABLE
from db.ids import new_id
from db.profile_jobs import JobLease, JobState, ProfileJobRow
from db.queue import MAX_ATTEMPTS, StaleLease
from hwmodels.device import Device
from hwmodels.lookup import LookupModel
from service.errors import Conflict, FieldError, InvalidRequest
from service.hardware import Place, channel_to, find_device, newest_table, open_for, table_at
from service.heartbeat import Heartbeat, Unwanted
from service.identity import is_dead, own_name
from service.measuring import OnProgress, check, measure
from service.progress import EVERY_S, time_left
from service.reasons import reason_of
from service.watch import Watch, watched
from service.workspace import Workspace

log = logging.getLogger(__name__)


class HeldJob:
    """A profile job, as the heartbeat holds it."""

    def __init__(self, lease: JobLease) -> None:
        self._lease = lease
        self.name = f"profile job {lease.job_id}"

    def cancelled(self, session: Session) -> bool:
        """Whether somebody asked for it to stop."""
        return profile_jobs.get(session, self._lease.job_id).state == JobState.CANCELLING

    def renew(self, session: Session, lease_s: float) -> bool:
        """False when the job is lost."""
        return profile_jobs.renew(session, self._lease, lease_s)

    def drop(self, session: Session) -> None:
        """Ends what was cancelled. Raises StaleLease."""
        profile_jobs.finish(session, self._lease, JobState.CANCELLED)


def create_job(session: Session, request: Json) -> str:
    """Queues a job from {device, networks, refresh}; returns its id.

    Raises Conflict where one of the device isn't over, InvalidRequest for a device that nothing can time; UnknownDevice
    and BadSetting.
    """
    device = find_device(session, request["device"])
    if device.kind != "measured":
        raise _fault(f"{device.id} is {device.kind}: nothing can be timed on it, so there is nothing to profile")
    if device.cost_model != LookupModel.name:
        raise _fault(f"{device.id} times whole networks when a search needs them: it has no operators to profile")
    earlier = profile_jobs.unfinished(session, device.id)
    if earlier is not None:
        raise Conflict(f"profile job {earlier.id} of {device.id} is {earlier.state}; wait for it, or cancel it first")
    progress = {"phase": "queued", "done": 0, "total": 0, "eta_s": None}
    row = ProfileJobRow(
        id=new_id("prj"),
        device=device.id,
        state=str(JobState.QUEUED),
        request=dict(request),
        progress=progress,
        created_at=clock(session),
    )
    session.add(row)
    session.flush()
    return row.id


def _fault(text: str) -> InvalidRequest:
    return InvalidRequest([FieldError("#/device", text)])


def cancel_job(session: Session, job_id: str) -> None:
    """Stops a job within seconds; its rows stay. Cancelling twice is fine. Raises Conflict where it is over."""
    row = profile_jobs.lock(session, job_id)
    if row.state in (JobState.CANCELLED, JobState.CANCELLING):
        return
    if row.over:
        raise Conflict(f"profile job {job_id} has already {row.state}; there is nothing to cancel")
    profile_jobs.cancel(session, row)


def work_on_a_job(
    workspace: Workspace,
    worker: str,
    stopping: threading.Event,
    expendable: bool = False,
    job_id: str | None = None,
) -> bool:
    """Claims a job, or a certain one, and works on it to its end; False if there was none."""
    with workspace.database.read() as session:
        if not profile_jobs.waiting(session):
            return False
    with workspace.database.write() as session:
        lease = profile_jobs.claim(session, worker, workspace.settings.lease_s, job_id)
    if lease is None:
        return False
    try:
        _work(workspace, lease, stopping, expendable)
    except StaleLease as reason:
        log.info("a result came too late: %s", reason)
    except BaseException:
        with workspace.database.write() as session:
            profile_jobs.release(session, lease)
        raise
    return True


def _work(workspace: Workspace, lease: JobLease, stopping: threading.Event, expendable: bool) -> None:
    """Ends the job with what came of it, or gives it back. Raises StaleLease and what says that nothing answers."""
    settings, held = workspace.settings, HeldJob(lease)
    beat = Heartbeat(workspace.database, held, settings.lease_s, settings.cancel_grace_s, stopping, expendable)
    state, result, reason = JobState.SUCCEEDED, None, ""
    try:
        if lease.exhausted:
            state, reason = JobState.FAILED, f"given up: {MAX_ATTEMPTS} workers died of it"
        else:
            report = _reporter(workspace, lease, beat.check)
            waits = Watch(beat.check, lambda text: report(text or "profiling", 0, 0))
            with beat, watched(waits):
                result = _profiled(workspace, lease, report)
    except Unwanted:
        if stopping.is_set():
            with workspace.database.write() as session:
                profile_jobs.release(session, lease)
            return
        state = JobState.CANCELLED
    except (StaleLease, *UNAVAILABLE):
        raise
    except Exception as error:
        state, reason = JobState.FAILED, reason_of(error, held.name, settings.home)
    with workspace.database.write() as session:
        profile_jobs.finish(session, lease, state, result, reason)


def _profiled(workspace: Workspace, lease: JobLease, report: OnProgress) -> Json:
    """Fills and calibrates the job's table, or checks one that has a calibration; the job's result."""
    began = time.monotonic()
    with workspace.database.read() as session:
        row = profile_jobs.get(session, lease.job_id)
        device = find_device(session, row.device)
    task, place = (row.task, Place(row.table_key)) if row.task else _begin(workspace, lease, row, device)
    place = replace(place, calibrated=task == "check")
    hardware = open_for(workspace, device, place, lambda session: profile_jobs.absolve(session, lease))
    try:
        if task == "check":
            found = check(workspace, hardware, place, report)
        else:
            found = measure(workspace, hardware, place.table, row.request, report)
    finally:
        if hardware.profiler is not None:
            hardware.profiler.close()
    with workspace.database.read() as session:
        rows = len(measurements.of_table(session, place.table))
    return {"task": task, "table": place.table, "rows": rows, "seconds": round(time.monotonic() - began, 1)} | found


def _begin(workspace: Workspace, lease: JobLease, row: ProfileJobRow, device: Device) -> tuple[str, Place]:
    """Notes once and for all what the job does (`profile` or `check`) and with which table."""
    channel = channel_to(workspace, device)
    assert channel is not None
    try:
        here = table_at(channel, device)
        with workspace.database.write() as session:
            newest = newest_table(session, device, channel)
            table = newest.table if newest else here
            if row.request.get("refresh") and newest is not None:
                table = table.next()
            task = "check" if newest and newest.table == table and newest.calibration else "profile"
            measurements.begin(session, table, clock(session))
            profile_jobs.note(session, lease, task=task, table_key=table.key)
    finally:
        channel.close()
    return task, Place(table.key)


def _reporter(workspace: Workspace, lease: JobLease, check: Callable[[], None]) -> OnProgress:
    """Keeps progress on the job's row, a few times a second at most; stops the work when it isn't wanted any more."""
    since, last, first, current = time.monotonic(), 0.0, 0, ""

    def report(phase: str, done: int, total: int) -> None:
        nonlocal since, last, first, current
        check()
        now = time.monotonic()
        if phase != current:
            since, last, first, current = now, 0.0, done, phase
        if now - last < EVERY_S and done < total:
            return
        last = now
        eta = time_left(now - since, done - first, total - first)
        told = {"phase": phase, "done": done, "total": total, "eta_s": None if eta is None else round(eta, 1)}
        with workspace.database.write() as session:
            profile_jobs.note(session, lease, progress=told)

    return report


def run_until_finished(
    workspace: Workspace, job_id: str, stopping: threading.Event, on_progress: Callable[[Json], object]
) -> None:
    """Works on one job in this process until it is over; others on the same tables may have it instead.

    `on_progress` is called with its progress, from another thread. Killed at any moment, it goes on where it was when
    called again.
    """
    free_jobs_of_dead(workspace)
    over = threading.Event()
    name = f"{own_name()}/{threading.get_ident()}"

    def follow() -> None:
        while not over.wait(EVERY_S):
            on_progress(_job(workspace, job_id).progress)

    follower = threading.Thread(target=follow, name="progress", daemon=True)
    follower.start()
    try:
        while not _job(workspace, job_id).over:
            if not work_on_a_job(workspace, name, stopping, job_id=job_id):
                stopping.wait(workspace.settings.poll_s)
    finally:
        over.set()
        follower.join()


def free_jobs_of_dead(workspace: Workspace) -> None:
    """Gives back at once what workers of this machine held that are gone."""
    with workspace.database.read() as session:
        dead = [name for name in profile_jobs.running_workers(session) if is_dead(name)]
    for name in dead:
        with workspace.database.write() as session:
            profile_jobs.expire(session, name)


def _job(workspace: Workspace, job_id: str) -> ProfileJobRow:
    with workspace.database.read() as session:
        return profile_jobs.get(session, job_id)
