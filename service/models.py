"""Models as users know them: read once to see that they are sound, then kept as a blob."""

from __future__ import annotations

import tempfile
from pathlib import Path

from db import models
from db.base import clock
from db.ids import new_id
from db.models import ModelRow
from db.upsert import insert_new
from service.reading import read_confined, read_model
from service.workspace import Workspace


def add_model(workspace: Workspace, path: Path, name: str = "", confined: bool = True) -> str:
    """Reads a `.fwm`, `.pt2` or `.onnx` file and keeps it as `.fwm`; equal content is the same model. Returns its id.

    `confined` reads it in a process with limits, as anything that came over the network must be.

    Raises:
        GraphError: it can't be read; the message says why and what to do.
    """
    with tempfile.TemporaryDirectory(dir=workspace.settings.home, prefix="reading-") as folder:
        target = Path(folder) / "model.fwm"
        facts = read_confined(path, target) if confined else read_model(path, target)
        blob = workspace.blobs.put_file(target, ".fwm")
    with workspace.database.write() as session:
        row = {
            "id": new_id("mdl"),
            "name": name or path.stem,
            "sha256": blob.sha256,
            "file_bytes": blob.file_bytes,
            "facts": facts,
            "created_at": clock(session),
        }
        insert_new(session, ModelRow, [row])
        return models.by_hash(session, blob.sha256).id
