"""The Desk: what a handler has before it - the task's search, model, data and trials, read from the tables."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from db import datasets, models, queue, searches, sensitivities, trials
from db.base import Json, clock
from db.queue import Lease
from db.searches import SearchState
from hwmodels.device import Device
from service.drifting import settle
from service.hardware import Place, find_device, open_for
from service.heartbeat import Heartbeat
from service.progress import Reporter, enter
from service.recent import Recent
from service.records import OPEN, fingerprint, score_scope, trial_document
from service.steps import OnRow, Steps
from service.workspace import Workspace

SHARED = ("device", "seed", "methods", "training", "recipe", "recovery_epochs", "objective")
"""Parts of a request that a context may depend on; limits, effort and name are not among them."""


@dataclass(frozen=True)
class Facts:
    """What doesn't change about a search any more once it is prepared, until it goes on for another round."""

    request: Json
    prepared: Json | None
    model_hash: str
    model_path: Path
    dataset_hash: str
    dataset: Path | str


class Memory:
    """What a worker keeps between tasks: the contexts and the facts that it used last."""

    def __init__(self, contexts: int = 2, facts: int = 16) -> None:
        self.contexts: Recent[Any] = Recent(contexts)
        self.facts: Recent[Facts] = Recent(facts)


class Desk:
    """One task's view of the tables. Reads are short; nothing here holds a transaction while work is done."""

    def __init__(self, workspace: Workspace, steps: Steps, memory: Memory, lease: Lease) -> None:
        self.workspace, self.steps, self.lease = workspace, steps, lease
        self._memory, self._database = memory, workspace.database
        self._facts = memory.facts.get(self._phase(), self._read, lambda facts: facts.prepared is not None)
        self.request, self.prepared = self._facts.request, self._facts.prepared or {}
        self._scope = score_scope(self._facts.model_hash, self._facts.dataset_hash, self.request)

    def begin(self, state: SearchState) -> None:
        """Moves the search on when work on it begins, unless it is there already or was cancelled."""
        with self._database.write() as session:
            row = searches.lock(session, self.lease.search_id)
            if row.state == SearchState.QUEUED:
                enter(session, row, state)

    def context(self, beat: Heartbeat) -> Any:
        """Model, data and device in memory, from the cache where they were used before."""
        beat.check()
        shared = fingerprint([self.request.get(name) for name in SHARED])
        key = (self._facts.model_hash, self._facts.dataset_hash, shared, self.place)
        context = copy.copy(self._memory.contexts.get(key, self._open))
        context.request = self.request
        return context

    @cached_property
    def device(self) -> Device:
        """The device of the search, with its settings."""
        with self._database.read() as session:
            return find_device(session, str(self.request["device"]))

    @cached_property
    def place(self) -> Place:
        """Where this search looks latencies up: what it noted when it was prepared, or the newest table now."""
        return Place.of(self.prepared) or settle(self.workspace, self.device)

    def sensitivities(self) -> list[Json]:
        """What is known of single choices for this model, data and seed."""
        with self._database.read() as session:
            return sensitivities.of_scope(session, self._scope)

    def on_sensitivity(self, beat: Heartbeat) -> OnRow:
        """Keeps each new sensitivity at once, so that no kill loses it."""

        def keep(document: Json) -> None:
            with self._database.write() as session:
                sensitivities.add(session, self._scope, document, clock(session))
                queue.absolve(session, self.lease)
            beat.check()

        return keep

    def reporter(self, beat: Heartbeat, default: str) -> Callable[[str, int, int], None]:
        """Progress for watchers; stops the work when it is no longer wanted."""
        report = Reporter(self._database, self.lease.search_id, beat.check)
        return lambda phase, done, total: report(phase or default, done, total)

    def trial(self) -> Json:
        """The trial that the task is about."""
        with self._database.read() as session:
            return trial_document(trials.get(session, self.lease.search_id, self.lease.number))

    def trials(self) -> list[Json]:
        """Every finished trial in order of number."""
        with self._database.read() as session:
            rows = trials.of_search(session, self.lease.search_id)
            return [trial_document(row) for row in rows if row.state not in OPEN]

    def finalists(self) -> list[Json]:
        """The results of all finalists, those that failed with their `error`."""
        with self._database.read() as session:
            rows = trials.of_search(session, self.lease.search_id)
            return [row.finalist for row in rows if row.finalist is not None]

    def folder(self, name: str) -> Path:
        """A path of this attempt's own that doesn't exist yet, in the search's folder."""
        path = self.workspace.search_folder(self.lease.search_id)
        path.mkdir(parents=True, exist_ok=True)
        own = path / (name if self.lease.token == 1 else f"{name}-{self.lease.token}")
        shutil.rmtree(own, ignore_errors=True)
        return own

    def _open(self) -> Any:
        facts = self._facts
        hardware = open_for(self.workspace, self.device, self.place, lambda session: queue.absolve(session, self.lease))
        return self.steps.open_context(self.request, facts.model_path, facts.dataset, hardware)

    def _phase(self) -> tuple[str, float | None]:
        """What facts are remembered under: what is prepared changes where a phase begins, if at all."""
        with self._database.read() as session:
            return self.lease.search_id, searches.phase_of(session, self.lease.search_id)

    def _read(self) -> Facts:
        blobs = self.workspace.blobs
        with self._database.read() as session:
            row = searches.get(session, self.lease.search_id)
            model = models.get(session, row.model_id).sha256
            name = str(row.request["dataset"])
            data = datasets.get(session, row.dataset_id) if row.dataset_id else None
        return Facts(
            request=row.request,
            prepared=row.prepared,
            model_hash=model,
            model_path=blobs.path(model, ".fwm"),
            dataset_hash=data.sha256 if data else f"built-in {name}",
            dataset=blobs.path(data.sha256, data.suffix) if data else name,
        )
