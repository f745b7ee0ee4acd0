"""The scheduler: a thread that starts what is due."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import IntegrityError

from db.database import UNAVAILABLE, Database
from service.schedules import run_one_due

EVERY_S = 1.0
log = logging.getLogger(__name__)


class Scheduler(threading.Thread):
    """Looks every second; any number of them, in any processes, start each due time once."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time, every_s: float = EVERY_S) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._database, self._now, self._every_s = database, now, every_s
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                run_due(self._database, self._now())
            except UNAVAILABLE as error:
                log.warning("the database doesn't answer, trying again: %s", error.orig)

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        self._over.set()
        self.join()


def run_due(database: Database, now: float) -> int:
    """Starts everything that is due; returns how many runs were started."""
    started = 0
    while True:
        try:
            with database.write() as session:
                if not run_one_due(session, now):
                    return started
        except IntegrityError:
            log.info("another scheduler was quicker")
            return started
        started += 1
