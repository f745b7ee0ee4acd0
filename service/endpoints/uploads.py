"""A file from a multipart form, on disk under a name that can't lead anywhere."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import UploadFile


@contextmanager
def on_disk(upload: UploadFile) -> Iterator[Path]:
    """The upload as a file; its name is the client's as far as that is harmless, because messages show it."""
    label = re.sub(r"[^\w.\- ]", "_", re.split(r"[/\\]", upload.filename or "")[-1])[-100:].strip(". ") or "upload"
    with tempfile.TemporaryDirectory(prefix="fitwright-") as folder:
        path = Path(folder) / label
        with path.open("wb") as file:
            shutil.copyfileobj(upload.file, file)
        yield path


def label_of(name: str, path: Path) -> str:
    """What the upload is called: the name given, or the file's."""
    return name.strip() or path.stem
