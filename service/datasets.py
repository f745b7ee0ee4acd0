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
from search.data import BUILTIN, Dataset, load_dataset
from service.workspace import Workspace

SUFFIXES = (".npz", ".zip")
_EPOCH = (1980, 1, 1, 0, 0, 0)


def add_dataset(workspace: Workspace, source: Path | str, name: str = "") -> str:
    """Reads an .npz, a zip of images or a folder of images per class, and keeps it. Returns its id.

    The name of a built-in set is returned as it is. The same content again is the same data set.

    Raises:
        DataError: it can't be read; the message says why and what to do.
    """
    if isinstance(source, str) and source in BUILTIN:
        return source
    path = Path(source)
    data = load_dataset(path)
    if not path.is_dir():
        return _keep(workspace, path, data, name or path.stem)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "images.zip"
        _pack(path, packed)
        return _keep(workspace, packed, data, name or path.name)


def facts_of(data: Dataset) -> Json:
    """What is shown of a data set."""
    return {
        "samples": len(data),
        "test_samples": len(data.test) if data.test is not None else 0,
        "shapes": [list(shape) for shape in data.sample_shapes],
        "labelled": data.labels is not None,
        "classes": list(data.classes),
    }


def _keep(workspace: Workspace, path: Path, data: Dataset, name: str) -> str:
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ""
    blob = workspace.blobs.put_file(path, suffix)
    with workspace.database.write() as session:
        row = {
            "id": new_id("dat"),
            "name": name,
            "sha256": blob.sha256,
            "suffix": suffix,
            "file_bytes": blob.file_bytes,
            "facts": facts_of(data),
            "created_at": clock(session),
        }
        insert_new(session, DatasetRow, [row])
        return datasets.by_hash(session, blob.sha256).id


def _pack(folder: Path, target: Path) -> None:
    """A zip of a folder that is the same for the same files."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH), path.read_bytes())
