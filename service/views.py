"""Documents that the API and the pages show: searches, trials, fronts, batches, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from db import batches, schedules, searches, trials
from db.artefacts import ArtefactRow
from db.base import Json
from db.batches import BatchRow
from db.datasets import DatasetRow
from db.models import ModelRow
from db.schedules import ScheduleRow, ScheduleRunRow
from db.searches import SearchRow
from hwmodels.base import METRICS
from search.documents import trial_of
from search.pareto import front
from service.batches import standing, summary, table
from service.records import reference_of, trial_document


def moment(at: float | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def model_document(row: ModelRow) -> Json:
    """A model as GET /v1/models/{id} shows it."""
    kept = {"id": row.id, "name": row.name, "sha256": row.sha256, "file_bytes": row.file_bytes}
    return kept | row.facts | {"created_at": moment(row.created_at)}


def dataset_document(row: DatasetRow) -> Json:
    """A data set as GET /v1/datasets/{id} shows it."""
    kept = {"id": row.id, "name": row.name, "sha256": row.sha256, "file_bytes": row.file_bytes, "builtin": False}
    return kept | row.facts | {"created_at": moment(row.created_at)}


def search_document(session: Session, row: SearchRow) -> Json:
    """A search as GET /v1/searches/{id} shows it, with all there is."""
    prepared = row.prepared or {}
    return search_entry(session, row) | {
        "request": row.request,
        "limits": prepared.get("limits", []),
        "least_achievable": prepared.get("least_achievable"),
        "reference": reference_of(row),
        "best": row.best,
        "result": row.result,
        "trials": trials.count_by_state(session, row.id),
        "links": {name: f"/v1/searches/{row.id}/{name}" for name in ("trials", "front", "events", "artifacts")},
    }


def search_entry(session: Session, row: SearchRow) -> Json:
    """A search in a list: enough to see how it stands."""
    model = session.get(ModelRow, row.model_id)
    data = session.get(DatasetRow, row.dataset_id) if row.dataset_id else None
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "state_reason": row.state_reason,
        "outcome": row.outcome or None,
        "progress": row.progress,
        "model": {"id": row.model_id, "name": model.name if model else ""},
        "dataset": {"id": row.request["dataset"], "name": data.name if data else row.request["dataset"]},
        "device": row.request["device"],
        "budget": row.request["limits"],
        "best_score": ((row.best or {}).get("quality") or {}).get("score"),
        "batch": row.batch_id,
        "created_at": moment(row.created_at),
        "started_at": moment(row.started_at),
        "finished_at": moment(row.finished_at),
    }


def front_document(session: Session, row: SearchRow) -> Json:
    """The trials that no other one beats, with what they are held against."""
    documents = [trial_document(trial) for trial in trials.of_search(session, row.id)]
    figures = [METRICS[limit["metric"]] for limit in (row.prepared or {}).get("limits", [])]
    best = {trial.number for trial in front([trial_of(d) for d in documents], figures)} if figures else set()
    return {
        "objectives": ["score", *figures],
        "limits": (row.prepared or {}).get("limits", []),
        "reference": reference_of(row),
        "items": [document for document in documents if document["number"] in best],
    }


def artefact_document(row: ArtefactRow) -> Json:
    """A file of a bundle in the list of artefacts."""
    link = f"/v1/searches/{row.search_id}/artifacts/{row.name}"
    return {"name": row.name, "file_bytes": row.file_bytes, "sha256": row.sha256, "link": link}


def batch_document(session: Session, row: BatchRow) -> Json:
    """A batch with one entry per search, each beside the same of the batch before."""
    before = batches.previous(session, row)
    return batch_entry(session, row) | {
        "request": row.request,
        "previous": before.id if before else None,
        "results": table(session, row),
    }


def batch_entry(session: Session, row: BatchRow) -> Json:
    """A batch in a list."""
    counted = summary(searches.of_batch(session, row.id))
    return {"id": row.id, "name": row.name, "created_at": moment(row.created_at)} | counted


def schedule_document(row: ScheduleRow) -> Json:
    """A schedule as GET /v1/schedules/{id} shows it."""
    return {
        "id": row.id,
        "name": row.name,
        "cron": row.cron,
        "timezone": row.zone,
        "batch": row.request,
        "next_run_at": moment(row.next_run_at),
        "created_at": moment(row.created_at),
    }


def runs_document(session: Session, row: ScheduleRow, limit: int = 50) -> list[Json]:
    """The runs of a schedule, newest first; each result beside that of the run before."""
    return [_run(session, run) for run in schedules.runs(session, row.id, limit)]


def _run(session: Session, run: ScheduleRunRow) -> Json:
    document: Json = {"due_at": moment(run.due_at), "batch": run.batch_id, "error": run.error, "results": []}
    if run.batch_id:
        document["results"] = table(session, batches.get(session, run.batch_id))
    return document


def counts_document(counts: dict[str, int], states: Sequence[Any]) -> dict[str, int]:
    """How many searches are in each state, the empty ones too."""
    return {str(state): counts.get(str(state), 0) for state in states}


__all__ = [
    "artefact_document",
    "batch_document",
    "batch_entry",
    "counts_document",
    "dataset_document",
    "front_document",
    "model_document",
    "moment",
    "runs_document",
    "schedule_document",
    "search_document",
    "search_entry",
    "standing",
]
