"""Wait: until agents have answered, one of them failed, nobody comes any more, or the work should stop."""

from __future__ import annotations

import time
from collections.abc import Sequence

from db import agents, measure_jobs
from db.agents import LIVE_S
from db.base import clock
from db.measure_jobs import MOST_ATTEMPTS, MeasureJobRow, MeasureState
from hwmodels.base import MeasurementFailed
from hwmodels.profilers.channel import Reply
from service.agent_replies import read_reply
from service.agents import reply_path
from service.watch import watch
from service.words import duration
from service.workspace import Workspace

FIRST_S, LOOK_S = 0.02, 2.0
"""How soon replies are looked for, and how often it is looked whether there are agents at all."""


class Wait:
    """Waits for jobs of one device; short reads, and no transaction held between them."""

    def __init__(self, workspace: Workspace, device: str, machine: str, jobs: Sequence[str]) -> None:
        self._workspace, self._device, self._machine, self._jobs = workspace, device, machine, list(jobs)
        self._found: dict[str, Reply] = {}
        self._looked, self._told = time.monotonic(), False

    def replies(self) -> list[Reply]:
        """Those to all jobs in order, or fewer where the last of them holds an error.

        Raises MeasurementFailed where there will be none, and whatever the task's watch raises.
        """
        pause = FIRST_S
        try:
            while not self._collect():
                watch().check()
                time.sleep(pause)
                pause = min(1.5 * pause, self._workspace.settings.poll_s)
        finally:
            if self._told:
                watch().tell("")
        return list(self._found.values()) if self._broken() else [self._found[job] for job in self._jobs]

    def _collect(self) -> bool:
        """Whether there is nothing more to wait for."""
        rows = self._rows()
        for row in rows:
            if row.state in (MeasureState.FAILED, MeasureState.WITHDRAWN):
                raise MeasurementFailed(f"{self._device}: {row.error or 'the request was withdrawn'}")
            if row.state == MeasureState.DONE:
                self._found[row.id] = read_reply(reply_path(self._workspace, row))
                if self._broken():
                    return True
        if len(self._found) == len(self._jobs):
            return True
        if time.monotonic() - self._looked > LOOK_S:
            self._looked = time.monotonic()
            self._look_for_agents([row for row in rows if row.id not in self._found])
        return False

    def _broken(self) -> bool:
        return bool(self._found) and "error" in list(self._found.values())[-1][0]

    def _rows(self) -> list[MeasureJobRow]:
        left = [job for job in self._jobs if job not in self._found]
        with self._workspace.database.read() as session:
            return list(measure_jobs.of_ids(session, left))

    def _look_for_agents(self, rows: Sequence[MeasureJobRow]) -> None:
        """Tells when there are none, and in the end gives up. Raises MeasurementFailed."""
        with self._workspace.database.read() as session:
            now, first = clock(session), rows[0]
            seen = agents.last_seen(session, self._device, self._machine, first.runtime, first.version)
        if any(row.attempt >= MOST_ATTEMPTS and row.lease_until < now for row in rows):
            with self._workspace.database.write() as session:
                measure_jobs.give_up(session, self._device)
        silent_s = now - max(seen or 0.0, min(row.created_at for row in rows))
        text = self._waiting_words(now - seen if seen else None)
        if silent_s > self._workspace.settings.agent_patience_s:
            raise MeasurementFailed(f"given up {text}: start it again with fitwright agent")
        if silent_s > LIVE_S:
            self._told = True
            watch().tell(text)
        elif self._told:
            self._told = False
            watch().tell("")

    def _waiting_words(self, ago_s: float | None) -> str:
        last = "which has never been seen" if ago_s is None else f"last seen {duration(ago_s)} ago"
        return f"waiting for an agent of {self._device} on {self._machine}, {last}"
