"""How well importances foretell removals on a stored model and data set: found once for each pair, and kept."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from sqlalchemy.orm import Session

from db import datasets
from db.base import Json
from db.models import ModelRow
from search.data import BUILTIN
from service.dependencies import checked_id
from service.errors import Conflict
from service.inspecting import WAIT_S, answered
from service.workspace import Workspace

REMOVING_S = 45.0
"""After so many seconds no further unit is removed; the scores take time too, and all of it has INSPECT_S."""


def importances(workspace: Workspace, row: ModelRow, dataset: str, wait_s: float = WAIT_S) -> Json:
    """What `search.importances.compare` says of a stored model and a data set, built in or uploaded.

    Raises:
        NotFound, NotHere: there is no such data set.
        UnclearModel: they don't fit, or it takes too long; the message says which.
        NotYet: it is still being found after `wait_s`.
        Conflict: a file is gone.
    """
    with workspace.database.read() as session:
        name, path = _found(workspace, session, dataset)
    if path is not None and not path.is_file():
        raise Conflict(f"the file of data set {dataset} is gone from this service; upload it again")
    kept = workspace.blobs.path(row.sha256, f".importances-{name}-{version('fitwright')}.json")
    job = {"data": str(path.resolve()) if path else "", "builtin": dataset, "seconds": REMOVING_S}
    return answered(workspace, row, kept, job, wait_s) | {"dataset": dataset}


def _found(workspace: Workspace, session: Session, dataset: str) -> tuple[str, Path | None]:
    """What the data set's content is called, and its file; built-in ones have none."""
    if dataset in BUILTIN:
        return dataset, None
    row = datasets.get(session, checked_id(dataset, "dat", "data set"))
    return row.sha256, workspace.blobs.path(row.sha256, row.suffix)
