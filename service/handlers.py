"""What a worker does for each kind of task: long work first, then one transaction with all that came of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy.orm import Session

from db import events, queue, trials
from db.base import Json, clock
from db.queue import Lease, TaskKind
from db.searches import SearchRow, SearchState
from db.trials import TrialRow
from service import bundles
from service.heartbeat import Heartbeat
from service.loading import Desk
from service.progress import count_trials, enter, set_progress, time_left, trial_event
from service.records import best_of, new_trial, plain, trial_document, write_trial

Commit = Callable[[Session, SearchRow], None]
"""Writes a task's result; called with the search's row locked, in the transaction that ends the task."""


def prepare(desk: Desk, beat: Heartbeat) -> Commit:
    """Measures the untouched model and every single choice, or finds that the limits can't be kept."""
    desk.begin(SearchState.PREPARING)
    context = desk.context(beat)
    prepared = desk.steps.prepare(
        context, desk.sensitivities(), desk.on_sensitivity(beat), desk.reporter(beat, "preparing")
    )

    def commit(session: Session, row: SearchRow) -> None:
        row.prepared = plain(prepared) | desk.place.to_json()
        if prepared.get("infeasible"):
            _begin_finishing(session, row, [])
            return
        enter(session, row, SearchState.SEARCHING)
        queue.enqueue(session, row.id, TaskKind.ADVANCE)

    return commit


def advance(desk: Desk, _beat: Heartbeat) -> Commit:
    """Asks for the next trials and queues them; when there are none, queues the finalists."""
    prepared, done = desk.prepared, desk.trials()
    recipes = desk.steps.next_recipes(prepared, desk.sensitivities(), done)
    chosen = [] if recipes else desk.steps.finalists(prepared, done)

    def commit(session: Session, row: SearchRow) -> None:
        if recipes:
            _queue_trials(session, row, recipes)
            return
        _begin_finishing(session, row, chosen)

    return commit


def evaluate(desk: Desk, beat: Heartbeat) -> Commit:
    """Evaluates one trial."""
    trial = desk.trial()
    return trial_ended(desk.lease, desk.steps.evaluate(desk.context(beat), desk.prepared, trial))


def trial_ended(lease: Lease, document: Mapping[str, object]) -> Commit:
    """Stores a trial that was evaluated, or failed; the last of its batch queues the next step."""

    def commit(session: Session, row: SearchRow) -> None:
        trial = trials.get(session, row.id, lease.number)
        write_trial(trial, document, clock(session))
        session.flush()
        stored = trial_document(trial)
        events.append(session, row.id, "trial", trial_event(stored))
        best = best_of(row.best, stored)
        if best != row.best:
            row.best = best
            events.append(session, row.id, "best", dict(best or {}))
        done, made = count_trials(session, row)
        if done == made:
            queue.enqueue(session, row.id, TaskKind.ADVANCE, [made])

    return commit


def finish(desk: Desk, beat: Heartbeat) -> Commit:
    """Fine-tunes, packs and measures one finalist."""
    trial, folder = desk.trial(), desk.folder(f"finalist-{desk.lease.number}")
    result = desk.steps.finish(desk.context(beat), desk.prepared, trial, folder)
    return finalist_ended(desk.lease, lambda _trial: result)


def finalist_ended(lease: Lease, result_of: Callable[[TrialRow], Json]) -> Commit:
    """Stores a finalist's result; the last one queues the conclusion."""

    def commit(session: Session, row: SearchRow) -> None:
        trial = trials.get(session, row.id, lease.number)
        trial.finalist = plain(result_of(trial))
        session.flush()
        told = {name: trial.finalist.get(name) for name in ("trial", "kept", "costs", "quality", "error")}
        events.append(session, row.id, "finalist", told)
        done, total = int(row.progress["done"]) + 1, int(row.progress["total"])
        spent = clock(session) - (row.phase_started_at or 0.0)
        set_progress(session, row, "finishing", done, total, time_left(spent, done, total))
        if queue.open_tasks(session, row.id, TaskKind.FINISH) == 0:
            _queue_conclusion(session, row)

    return commit


def conclude(desk: Desk, beat: Heartbeat) -> Commit:
    """Chooses the winner and keeps its bundle, or says why there is none; or lets the search go on, where finalists
    broke a limit when they were measured."""
    more = desk.steps.again(desk.prepared, desk.trials(), desk.finalists())
    if more is not None:
        return _go_on(desk, more)
    folder = desk.folder("bundle")
    outcome = desk.steps.conclude(desk.context(beat), desk.prepared, desk.trials(), desk.finalists(), folder)
    kept = bundles.keep(desk.workspace.blobs, folder) if folder.is_dir() else []

    def commit(session: Session, row: SearchRow) -> None:
        bundles.register(session, row.id, kept)
        total = int(row.progress["total"])
        set_progress(session, row, "finishing", total, total, 0.0)
        row.result, row.outcome = plain(outcome), str(outcome["outcome"])
        enter(session, row, SearchState.SUCCEEDED, str(outcome.get("reason", "")))

    return commit


def _go_on(desk: Desk, prepared: Json) -> Commit:
    """One more round: trials under tightened limits or, where no recipe is left, those that keep them already."""
    done = desk.trials()
    recipes = desk.steps.next_recipes(prepared, desk.sensitivities(), done)
    chosen = [] if recipes else desk.steps.finalists(prepared, done)

    def commit(session: Session, row: SearchRow) -> None:
        row.prepared = plain(prepared)
        reason = str(prepared["rounds"][-1]["reason"])
        if not recipes:
            _begin_finishing(session, row, chosen, reason)
            return
        enter(session, row, SearchState.SEARCHING, reason)
        _queue_trials(session, row, recipes)

    return commit


def tidy(folder: Path) -> None:
    """Removes what the finalists of a search that is over have left; its bundle stays."""
    for pattern in ("finalist-*", ".*"):
        for leftover in folder.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)


def _queue_trials(session: Session, row: SearchRow, recipes: list[Json]) -> None:
    session.add_all([new_trial(row.id, recipe) for recipe in recipes])
    session.flush()
    queue.enqueue(session, row.id, TaskKind.TRIAL, [recipe["number"] for recipe in recipes])
    count_trials(session, row)


def _begin_finishing(session: Session, row: SearchRow, chosen: list[int], reason: str = "") -> None:
    enter(session, row, SearchState.FINISHING, reason)
    set_progress(session, row, "finishing", 0, len(chosen) + 1, None)
    if chosen:
        queue.enqueue(session, row.id, TaskKind.FINISH, chosen)
    else:
        _queue_conclusion(session, row)


def _queue_conclusion(session: Session, row: SearchRow) -> None:
    """The end, or what may be: numbered, because a search that goes on comes here again."""
    queue.enqueue(session, row.id, TaskKind.CONCLUDE, [queue.made(session, row.id, TaskKind.CONCLUDE)])


HANDLERS: Mapping[TaskKind, Callable[[Desk, Heartbeat], Commit]] = {
    TaskKind.PREPARE: prepare,
    TaskKind.ADVANCE: advance,
    TaskKind.TRIAL: evaluate,
    TaskKind.FINISH: finish,
    TaskKind.CONCLUDE: conclude,
}
