"""Worker processes on this machine, started again when they die, gone when the service is gone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError

from db import profile_jobs, queue
from service.identity import is_dead
from service.settings import Settings
from service.worker import free_tasks_of_dead
from service.workspace import Workspace

COMMAND = (sys.executable, "-m", "service.worker")
EVERY_S, STOP_S, QUICK_S, PAUSE_S = 0.1, 4.0, 5.0, 2.0
"""How often children are looked at; how long they may take to stop; a worker that ends sooner than QUICK_S is
started again after a pause, so that one that can't start doesn't keep the machine busy."""

log = logging.getLogger(__name__)


class LocalExecutor:
    """One supervisor thread, which is the parent of every worker: a worker dies with it."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        self._settings, self._command = settings, [*command, "--parent", str(os.getpid())]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        self._children: list[_Child] = []

    def start(self) -> None:
        """Starts `settings.workers` workers."""
        if self._settings.workers:
            self._thread.start()

    def stop(self) -> None:
        """Asks workers to stop, ends those that don't within seconds, and gives their tasks back."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that run now."""
        return [child.process.pid for child in self._children if child.process.poll() is None]

    def _supervise(self) -> None:
        workspace = Workspace(self._settings)
        free_tasks_of_dead(workspace)
        self._children = [self._spawn() for _ in range(self._settings.workers)]
        while not self._stopping.wait(EVERY_S):
            for index, child in enumerate(self._children):
                if child.process.poll() is not None and time.monotonic() >= child.again_at():
                    log.warning("worker %d ended (%d); starting another", child.process.pid, child.process.returncode)
                    self._free(workspace)
                    self._children[index] = self._spawn()
        self._end(workspace)
        workspace.close()

    def _spawn(self) -> _Child:
        environment = os.environ | self._settings.environment()
        return _Child(subprocess.Popen(self._command, env=environment, stdin=subprocess.DEVNULL))

    def _free(self, workspace: Workspace) -> None:
        try:
            free_tasks_of_dead(workspace)
        except SQLAlchemyError as error:
            log.warning("tasks of a dead worker come back when their leases end: %s", error)

    def _end(self, workspace: Workspace) -> None:
        for child in self._children:
            child.process.terminate()
        until = time.monotonic() + STOP_S
        for child in self._children:
            try:
                child.process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        give_back(workspace)


class _Child:
    """A worker process and when it began."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._began, self._ended = time.monotonic(), 0.0

    def again_at(self) -> float:
        """When another may take its place; called once it has ended."""
        self._ended = self._ended or time.monotonic()
        return self._ended + (PAUSE_S if self._ended - self._began < QUICK_S else 0.0)


def give_back(workspace: Workspace) -> None:
    """Returns what workers held that were ended on purpose: it doesn't count as an attempt."""
    try:
        with workspace.database.write() as session:
            names = {*queue.running_workers(session), *profile_jobs.running_workers(session)}
            for name in sorted(filter(is_dead, names)):
                queue.expire(session, name, blame=False)
                profile_jobs.expire(session, name, blame=False)
    except SQLAlchemyError as error:
        log.warning("tasks come back when their leases end: %s", error)
