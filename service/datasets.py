"""Data sets as users know them: read once to see that they are sound, then kept as a blob."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from db import datasets
from db.base import Json, clock
from db.datasets import DatasetRow
from db.ids import new_id
from db.upsert import insert_new
from search.data import BUILTIN, load_dataset
from service.reading import data_facts, read_data, read_data_confined
from service.workspace import Workspace

SUFFIXES = (".npz", ".zip")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def add_dataset(workspace: Workspace, source: Path | str, name: str = "", confined: bool = True) -> str:
    """Reads an .npz, a zip of images or a folder of images per class, and keeps it. Returns its id.

    The name of a built-in set is returned as it is. The same content again is the same data set. `confined` reads a
    file in a process with limits, as anything that came over the network must be.

    Raises:
        DataError: it can't be read; the message says why and what to do.
    """
    if isinstance(source, str) and source in BUILTIN:
        return source
    path = Path(source)
    if path.is_file():
        facts = read_data_confined(path) if confined else read_data(path)
        return _keep(workspace, path, facts, name or path.stem)
    facts = data_facts(load_dataset(path))
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "images.zip"
        _pack(path, packed)
        return _keep(workspace, packed, facts, name or path.name)


def _keep(workspace: Workspace, path: Path, facts: Json, name: str) -> str:
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ""
    blob = workspace.blobs.put_file(path, suffix)
    with workspace.database.write() as session:
        row = {
            "id": new_id("dat"),
            "name": name,
            "sha256": blob.sha256,
            "suffix": suffix,
            "file_bytes": blob.file_bytes,
            "facts": facts,
            "created_at": clock(session),
        }
        insert_new(session, DatasetRow, [row])
        return datasets.by_hash(session, blob.sha256).id


def _pack(folder: Path, target: Path) -> None:
    """A zip of a folder that is the same for the same files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH), path.read_bytes())
