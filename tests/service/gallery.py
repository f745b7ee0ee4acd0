"""A workspace with a search of every kind in it, made through the tables, for tests of the pages."""

from __future__ import annotations

import json
import time
from functools import lru_cache
from typing import Any

from db import artefacts, batches, models, searches
from db.base import Json, clock
from db.ids import new_id
from db.models import ModelRow
from db.searches import SearchRow, SearchState
from service.bundles import Kept, register
from service.inspecting import kept_at
from service.progress import enter, set_progress
from service.records import new_trial, write_trial
from service.schemas import SearchRequest
from service.searches import insert_search
from service.workspace import Workspace
from tests import documents

LIMITS = {"latency": "0.5x", "size": "300kB"}


def add_model(workspace: Workspace, name: str = "lenet5") -> str:
    """A model row; its file is never read by a page."""
    blob = workspace.blobs.put([name.encode()], ".fwm")
    facts = {"inputs": [{"name": "x", "shape": [1, 28, 28], "dtype": "float32"}], "parameters": 431_080}
    kept = {"sha256": blob.sha256, "file_bytes": 1_731_900, "created_at": time.time()}
    with workspace.database.write() as session:
        row = ModelRow(id=new_id("mdl"), name=name, facts=facts, **kept)
        session.add(row)
    return row.id


@lru_cache(maxsize=1)
def inspection() -> Json:
    """What a small transformer offers."""
    from methods.graph.intake.capture import capture
    from search.inspect import describe
    from tests.zoo.catalogue import network

    return describe(capture(*network("transformer")))


def set_inspected(workspace: Workspace, model: str, found: Json | None = None) -> None:
    """A model that was looked into already."""
    with workspace.database.read() as session:
        kept_at(workspace, models.get(session, model)).write_text(json.dumps(found or inspection()))


def add_search(workspace: Workspace, model: str, batch: str | None = None, **changes: Any) -> str:
    """A queued search."""
    asked = {"model": model, "dataset": "digits", "device": "local-onnxruntime", "limits": LIMITS, "name": ""}
    with workspace.database.write() as session:
        return insert_search(session, SearchRequest.model_validate(asked | changes), batch)


def set_running(workspace: Workspace, search_id: str, trials: int = 16) -> None:
    """Half way through its trials."""
    with workspace.database.write() as session:
        row = _prepared(workspace, search_id, session, trials)
        enter(session, row, SearchState.SEARCHING)
        set_progress(session, row, "searching", trials, 40, 95.0)


def set_succeeded(workspace: Workspace, search_id: str, outcome: Json | None = None, trials: int = 24) -> None:
    """At its end, with a bundle where it is feasible."""
    result = outcome or documents.outcome()
    with workspace.database.write() as session:
        row = _prepared(workspace, search_id, session, trials)
        row.result, row.outcome = result, result["outcome"]
        enter(session, row, SearchState.SUCCEEDED, result["reason"])
        if result["compressed"]:
            names = ("model.fwm", "model.onnx", "recipe.json", "report.html", "bundle.zip")
            register(session, search_id, [Kept(name, workspace.blobs.put([name.encode()])) for name in names])


def set_failed(workspace: Workspace, search_id: str, reason: str) -> None:
    """Failed, with a reason."""
    with workspace.database.write() as session:
        enter(session, searches.lock(session, search_id), SearchState.FAILED, reason)


def fill(workspace: Workspace) -> dict[str, str]:
    """One of each; returns their ids by kind."""
    model = add_model(workspace)
    set_inspected(workspace, model)
    made = {kind: add_search(workspace, model) for kind in ("feasible", "infeasible", "failed", "running", "queued")}
    set_succeeded(workspace, made["feasible"])
    set_succeeded(workspace, made["infeasible"], documents.infeasible(), 0)
    set_failed(workspace, made["failed"], "samples are [1, 8, 8] but the model takes [1, 28, 28]")
    set_running(workspace, made["running"])
    with workspace.database.write() as session:
        row = batches.BatchRow(id=new_id("bat"), name="nightly", request={}, template="t", created_at=clock(session))
        session.add(row)
    made["batch"] = row.id
    for limit in ("0.5x", "0.7x"):
        set_succeeded(workspace, add_search(workspace, model, row.id, limits={"latency": limit}), trials=2)
    return made | {"model": model}


def files_of(workspace: Workspace, search_id: str) -> list[str]:
    """Names of a search's files."""
    with workspace.database.read() as session:
        return [row.name for row in artefacts.of_search(session, search_id)]


def _prepared(workspace: Workspace, search_id: str, session: Any, trials: int) -> SearchRow:
    row = searches.lock(session, search_id)
    limits = [{k: limit[k] for k in ("metric", "value", "text")} for limit in documents.outcome()["limits"]]
    row.prepared = {"reference": documents.reference(), "limits": limits, "least_achievable": None}
    for number in range(trials):
        found = documents.trials()[number]
        trial = new_trial(search_id, found)
        write_trial(trial, found, time.time())
        session.add(trial)
        row.best = (
            {k: found[k] for k in ("number", "origin", "costs", "quality")} if found["state"] == "done" else row.best
        )
    return row
