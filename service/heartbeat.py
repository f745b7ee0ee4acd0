"""The heartbeat: holds a lease while its task is worked on, and notices when the work is no longer wanted."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from db import queue, searches
from db.database import Database
from db.queue import Lease, StaleLease
from db.searches import SearchState
from service.lifecycle import settle_cancelled

CHECK_S = 0.5
log = logging.getLogger(__name__)


class Unwanted(Exception):
    """The work should stop: the search was cancelled, the lease was lost, or the worker is to end."""


class Ending(Unwanted):
    """The worker is to end: the work is wanted, and somebody will go on with it."""


class Held(Protocol):
    """What a worker holds by a lease."""

    name: str

    def cancelled(self, session: Session) -> bool:
        """Whether it isn't wanted any more."""

    def renew(self, session: Session, lease_s: float) -> bool:
        """Holds on to it; False when it is lost."""

    def drop(self, session: Session) -> None:
        """Gives up what was cancelled. Raises StaleLease."""


class HeldTask:
    """A task of a search."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.name = f"{lease.kind} {lease.number} of {lease.search_id}"

    def cancelled(self, session: Session) -> bool:
        """Whether its search is being cancelled."""
        return searches.state_of(session, self._lease.search_id) == SearchState.CANCELLING

    def renew(self, session: Session, lease_s: float) -> bool:
        """False when the task is lost."""
        return queue.renew(session, self._lease, lease_s)

    def drop(self, session: Session) -> None:
        """Its search is over with the last of its tasks."""
        row = searches.lock(session, self._lease.search_id)
        queue.complete(session, self._lease, "dropped")
        settle_cancelled(session, row)


class Heartbeat:
    """A thread beside the work. Inside its `with`, `check()` raises Unwanted once the work should stop.

    Args:
        stopping: set when the worker is to end.
        expendable: whether this process may be killed to end work that doesn't heed `check()`; what was cancelled is
            settled first, and whoever supervises starts another worker.
    """

    def __init__(
        self,
        database: Database,
        held: Held,
        lease_s: float,
        grace_s: float,
        stopping: threading.Event,
        expendable: bool = False,
    ) -> None:
        self._database, self._held, self._lease_s, self._grace_s = database, held, lease_s, grace_s
        self._stopping, self._expendable = stopping, expendable
        self._over = threading.Event()
        self._reason = ""
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def check(self) -> None:
        """Raises Unwanted, saying why."""
        if self._reason:
            raise Unwanted(self._reason)
        if self._stopping.is_set():
            raise Ending("the worker is to end")

    def _beat(self) -> None:
        renewed, cancelled_at = time.monotonic(), None
        while not self._over.wait(min(CHECK_S, self._lease_s / 4)):
            now = time.monotonic()
            try:
                if cancelled_at is None and self._cancelled():
                    self._reason, cancelled_at = "it was cancelled", now
                if now - renewed >= self._lease_s / 3:
                    self._renew()
                    renewed = now
            except SQLAlchemyError as error:
                log.warning("heartbeat of %s: %s", self._held.name, error)
            if self._expendable and cancelled_at is not None and now - cancelled_at > self._grace_s:
                self._end_process()

    def _cancelled(self) -> bool:
        with self._database.read() as session:
            return self._held.cancelled(session)

    def _renew(self) -> None:
        with self._database.write() as session:
            if not self._held.renew(session, self._lease_s):
                self._reason = "the lease was lost"

    def _end_process(self) -> None:
        """For work that sits in one long call: gives it up, then ends this process at once."""
        log.warning("%s doesn't stop; this worker ends", self._held.name)
        try:
            with self._database.write() as session:
                self._held.drop(session)
        except StaleLease:
            log.info("it was already taken over")
        os.kill(os.getpid(), signal.SIGKILL)
