"""A search's bundle: its files kept as blobs, and one zip of them all."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from db.artefacts import ArtefactRow
from db.base import clock
from db.blobs import Blob, BlobStore

ZIP_NAME = "bundle.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Kept:
    """A file of the bundle under its name there."""

    name: str
    blob: Blob


def keep(blobs: BlobStore, folder: Path) -> list[Kept]:
    """Stores every file of a finished bundle, and a zip of them that is the same for the same files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    kept = [Kept(path.relative_to(folder).as_posix(), blobs.put_file(path)) for path in files]
    with tempfile.TemporaryFile(dir=folder.parent) as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in kept:
                info = zipfile.ZipInfo(entry.name, _EPOCH)
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(info, entry.blob.path.read_bytes())
        packed.seek(0)
        return [*kept, Kept(ZIP_NAME, blobs.put(iter(lambda: packed.read(1 << 20), b"")))]


def register(session: Session, search_id: str, kept: Sequence[Kept]) -> None:
    """Lists the files as the search's artefacts."""
    now = clock(session)
    session.add_all(
        ArtefactRow(
            search_id=search_id,
            name=entry.name,
            sha256=entry.blob.sha256,
            file_bytes=entry.blob.file_bytes,
            created_at=now,
        )
        for entry in kept
    )
