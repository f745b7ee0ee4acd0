"""The worker: claims a task, does it, writes what came of it in one transaction; again, until it is told to stop."""

from __future__ import annotations

import argparse
import ctypes
import logging
import os
import signal
import threading
from typing import Any

from db import profile_jobs, queue, searches, trials
from db.database import UNAVAILABLE
from db.queue import Lease, StaleLease, TaskKind
from db.searches import SearchState
from service import handlers
from service.errors import is_disk_full
from service.handlers import Commit
from service.heartbeat import Heartbeat, HeldTask, Unwanted
from service.identity import is_dead, own_name
from service.lifecycle import fail, settle_cancelled
from service.loading import Desk, Memory
from service.logs import set_up_logging
from service.profiling import work_on_a_job
from service.reasons import reason_of
from service.records import failed_finalist
from service.settings import Settings, load_settings
from service.steps import Steps
from service.watch import Watch, search_teller, watched
from service.workspace import Workspace

log = logging.getLogger(__name__)


class Worker:
    """Works on tasks of all searches and on profile jobs, or on the tasks of one search.

    Args:
        steps: the search itself, in pieces; `search.steps` unless something else with the same verbs is given.
        expendable: whether this process may be killed to end work on a cancelled search that doesn't stop by itself.
    """

    def __init__(
        self, workspace: Workspace, steps: Steps, expendable: bool = False, search_id: str | None = None
    ) -> None:
        self.workspace, self.steps, self.search_id = workspace, steps, search_id
        self.name = f"{own_name()}/{threading.get_ident()}"
        self.stopping = threading.Event()
        self._expendable = expendable
        self._memory = Memory()
        self._busy = True

    def run(self) -> None:
        """Works until `stop`; a database that is away for a while is waited for."""
        while not self.stopping.is_set():
            try:
                if not self.step():
                    self.stopping.wait(self.workspace.settings.poll_s)
            except UNAVAILABLE as error:
                log.warning("the database doesn't answer, trying again: %s", error.orig)
                self.stopping.wait(2.0)

    def stop(self) -> None:
        """Ends `run` at the next moment at which the work can be left."""
        self.stopping.set()

    def step(self) -> bool:
        """Does one task, or where no search has any, a profile job; False if there was nothing."""
        lease = self._claim()
        if lease is None:
            return self.search_id is None and work_on_a_job(self.workspace, self.name, self.stopping, self._expendable)
        try:
            commit = self._work(lease)
        except BaseException:
            self._release(lease)
            raise
        if commit is None:
            self._release(lease)
        else:
            self._commit(lease, commit)
        return True

    def _claim(self) -> Lease | None:
        """The next task. After an idle moment it only looks first, which takes no write lock."""
        database, settings = self.workspace.database, self.workspace.settings
        if not self._busy:
            with database.read() as session:
                if not queue.waiting(session, self.search_id):
                    return None
        with database.write() as session:
            lease = queue.claim(session, self.name, settings.lease_s, self.search_id)
            if lease is not None and lease.kind == TaskKind.TRIAL:
                trials.begin(session, lease.search_id, lease.number)
        self._busy = lease is not None
        return lease

    def _work(self, lease: Lease) -> Commit | None:
        """The result of a task, or None if it should be given back."""
        if lease.exhausted:
            return failure(lease, f"given up: {queue.MAX_ATTEMPTS} workers died of it")
        settings = self.workspace.settings
        held = HeldTask(lease)
        beat = Heartbeat(
            self.workspace.database, held, settings.lease_s, settings.cancel_grace_s, self.stopping, self._expendable
        )
        try:
            with beat, watched(Watch(beat.check, search_teller(self.workspace.database, lease.search_id))):
                desk = Desk(self.workspace, self.steps, self._memory, lease)
                return handlers.HANDLERS[lease.kind](desk, beat)
        except Unwanted as reason:
            log.info("%s left: %s", held.name, reason)
            return None if self.stopping.is_set() else lambda _session, _row: None
        except UNAVAILABLE:
            raise
        except Exception as error:
            told = reason_of(error, held.name, settings.home)
            return failure(lease, told, everything=is_disk_full(error))

    def _commit(self, lease: Lease, commit: Commit) -> None:
        try:
            with self.workspace.database.write() as session:
                row = searches.lock(session, lease.search_id)
                wanted = not row.over and row.state != SearchState.CANCELLING
                queue.complete(session, lease, "done" if wanted else "dropped")
                if wanted:
                    commit(session, row)
                settle_cancelled(session, row)
                over = row.over
        except StaleLease as reason:
            log.info("a result came too late: %s", reason)
            return
        if over:
            handlers.tidy(self.workspace.search_folder(lease.search_id))

    def _release(self, lease: Lease) -> None:
        with self.workspace.database.write() as session:
            queue.release(session, lease)


def failure(lease: Lease, reason: str, everything: bool = False) -> Commit:
    """What a failed task leaves: a failed trial or finalist, or (for the others, or `everything`) a failed search."""
    if lease.kind == TaskKind.TRIAL and not everything:
        return handlers.trial_ended(lease, {"state": "failed", "error": reason})
    if lease.kind == TaskKind.FINISH and not everything:
        return handlers.finalist_ended(lease, lambda trial: failed_finalist(trial, reason))
    return lambda session, row: fail(session, row, reason)


def free_tasks_of_dead(workspace: Workspace) -> None:
    """Gives back at once what workers of this machine held that are gone, rather than when their leases end."""
    with workspace.database.read() as session:
        names = {*queue.running_workers(session), *profile_jobs.running_workers(session)}
    for name in sorted(filter(is_dead, names)):
        with workspace.database.write() as session:
            queue.expire(session, name)
            profile_jobs.expire(session, name)


def run_worker(settings: Settings, steps: Steps | None = None, parent: int | None = None) -> None:
    """A worker process from start to end; SIGTERM and SIGINT end it. With `parent`, it dies with that process."""
    set_up_logging(settings.log_level)
    if parent is not None:
        _die_with(parent)
    workspace = Workspace(settings)
    worker = Worker(workspace, steps or real_steps(), expendable=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    free_tasks_of_dead(workspace)
    worker.run()
    workspace.close()


def real_steps() -> Steps:
    """The search; imported here, because a stand-in for it needs none of what it loads."""
    import search.steps

    return search.steps


def _die_with(parent: int) -> None:
    """Asks the kernel to kill this process when its parent is gone (Linux)."""
    libc: Any = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """`python -m service.worker`"""
    parser = argparse.ArgumentParser(description="Works on searches until it is told to stop.")
    parser.add_argument("--parent", type=int, help="end when this process, which started it, ends")
    run_worker(load_settings(), parent=parser.parse_args().parent)


if __name__ == "__main__":
    main()
