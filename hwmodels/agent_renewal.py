"""Renewal: holds a job's lease from a thread while the job is worked on, and notices when it is lost."""

from __future__ import annotations

import os
import signal
import threading
from types import TracebackType
from typing import Self

from hwmodels.agent_link import Away, Job, Link, Refused
from hwmodels.profilers.process import Child


class Renewal:
    """Inside its `with` the lease is renewed; once the service refuses, `lost` says why and the measuring is ended."""

    def __init__(self, link: Link, job: Job, child: Child) -> None:
        self._link, self._job, self._child = link, job, child
        self.lost = ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="renewal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _renew(self) -> None:
        while not self._over.wait(self._job.lease_s / 3):
            try:
                self._link.renew(self._job)
            except Away:
                continue  # whoever waits for the service says so; the lease may still hold when it is back
            except Refused as error:
                if not self._over.is_set():
                    self.lost = str(error)
                    self._end_measuring()
                return

    def _end_measuring(self) -> None:
        """The child can't be asked to stop, and what it finds is wanted no more."""
        pid = self._child.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
