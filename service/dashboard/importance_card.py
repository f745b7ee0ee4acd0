"""The card of a model's page that says which importance foretells best what removing units does."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from db import datasets
from db.models import ModelRow
from methods.graph.ir import GraphError
from search import importance_words as words
from search.data import BUILTIN
from service.comparing import importances
from service.errors import Conflict
from service.inspecting import NotYet
from service.workspace import Workspace

LISTED = 100
WAIT_S = 2.0
"""How long the page waits; after that it shows itself and looks again."""


def rating_context(workspace: Workspace, row: ModelRow, dataset: str) -> dict[str, Any]:
    """What the card needs: the data sets to choose from, and for the chosen one the table, or why there is none (yet).

    Raises NotFound and NotHere for a data set that isn't there.
    """
    with workspace.database.read() as session:
        context = {"datasets": _choices(session, row), "chosen": dataset, "waiting": False, "trouble": "", "lines": []}
    if not dataset:
        return context
    try:
        found = importances(workspace, row, dataset, WAIT_S)
    except NotYet:
        return context | {"waiting": True}
    except (GraphError, Conflict) as error:
        return context | {"trouble": str(error)}
    sentence, removals = words.headline(found), words.removals_text(found)
    return context | {
        "lines": words.lines(found),
        "headline": sentence[:1].upper() + sentence[1:],
        "removals": removals,
    }


def _choices(session: Session, row: ModelRow) -> list[tuple[str, str]]:
    """Built-in data sets, and uploaded ones with samples of the shape that the model takes."""
    wanted = [list(spec["shape"]) for spec in row.facts.get("inputs", [])]
    own = [d for d in datasets.page(session, LISTED) if [list(s) for s in d.facts.get("shapes", [])] == wanted]
    return [
        *((name, f"{name} (built in)") for name in BUILTIN),
        *((d.id, f"{d.name} ({d.facts['samples']:,} samples)") for d in own),
    ]
