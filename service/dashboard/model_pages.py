"""The pages of models: the list with its upload form, and what one of them offers to a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import UploadFile
from sqlalchemy.orm import Session

from db import models
from db.models import ModelRow
from methods.graph.ir import GraphError
from search import inspect_words as words
from search.amounts import amount
from service.dashboard.importance_card import rating_context
from service.endpoints.uploads import label_of, on_disk
from service.errors import Conflict
from service.inspecting import NotYet, inspection
from service.models import add_model
from service.words import moment
from service.workspace import Workspace

Document = Mapping[str, Any]

PAGE = 100
WAIT_S = 4.0
"""How long the page waits for a model to be looked into; after that it shows itself and looks again."""


def models_context(session: Session, now: float, before: str | None, error: str = "") -> dict[str, Any]:
    """What models.html needs: a page of models, newest first, and what was wrong with the file that was sent."""
    rows = models.page(session, PAGE, before)
    older = rows[-1].id if len(rows) == PAGE else None
    errors = {"model_file": error} if error else {}
    return {"models": [_listed(row, now) for row in rows], "older": older, "errors": errors}


def upload(workspace: Workspace, sent: UploadFile | None) -> tuple[str, str]:
    """The id of the model that was sent, and what is wrong with it; one of them is empty."""
    if sent is None or not sent.filename:
        return "", "choose a file"
    try:
        with on_disk(sent) as path:
            return add_model(workspace, path, label_of("", path)), ""
    except GraphError as error:
        return "", str(error)


def model_context(workspace: Workspace, row: ModelRow, now: float, dataset: str = "") -> dict[str, Any]:
    """What model.html needs: facts, and the inspection, or why there is none (yet); with a data set, how well
    importances do on it."""
    context: dict[str, Any] = {"model": _listed(row, now), "found": None, "waiting": False, "trouble": ""}
    context["rating"] = rating_context(workspace, row, dataset)
    try:
        found = inspection(workspace, row, WAIT_S)
    except NotYet:
        return context | {"waiting": True}
    except (GraphError, Conflict) as error:
        return context | {"trouble": str(error)}
    return context | {"found": found_context(found)}


def found_context(found: Document) -> dict[str, Any]:
    """An inspection in lines of text."""
    lines = words.group_lines(found)
    kinds = [
        {
            "title": kind.capitalize(),
            "caption": f"{words.counted(reach['units'], 'unit')} in {words.counted(reach['groups'], 'group')}",
            "lines": [line for line in lines if line.kind == kind],
        }
        for kind, reach in found["coverage"]["kinds"].items()
    ]
    sentence = words.headline(found)
    return {
        "headline": sentence[:1].upper() + sentence[1:],
        "reaches": [
            {
                "name": reach.name,
                "counted": reach.counted,
                "bars": [_bar("parameters", reach.parameters), _bar("MACs", reach.macs)],
            }
            for reach in words.reaches(found)
        ],
        "kinds": kinds,
        "blocks": words.block_lines(found),
        "frozen": words.frozen_lines(found),
        "weights": [
            {"site": w["site"], "kind": w["kind"], "shape": "×".join(map(str, w["shape"]))} for w in found["weights"]
        ],
        "macs": amount("macs", found["macs"]),
        "outputs": ", ".join(found["outputs"]),
    }


def _bar(name: str, part: float) -> dict[str, Any]:
    return {"name": name, "share": round(100 * part, 1), "text": words.share(part)}


def _listed(row: ModelRow, now: float) -> dict[str, Any]:
    inputs = row.facts.get("inputs", [])
    return {
        "id": row.id,
        "name": row.name or "model",
        "inputs": ", ".join(f"{i['name']} N×{'×'.join(map(str, i['shape']))} {i['dtype']}" for i in inputs),
        "parameters": f"{row.facts.get('parameters', 0):,}",
        "size": amount("file_bytes", row.file_bytes),
        "when": moment(row.created_at, now),
    }
