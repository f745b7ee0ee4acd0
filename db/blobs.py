"""Files on disk under their own SHA-256: written once, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A stored file."""

    sha256: str
    file_bytes: int
    path: Path


class BlobStore:
    """`root/ab/abcdef...suffix`; two writers of the same content end with the same file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str, suffix: str = "") -> Path:
        """Where the content is, or would be, kept."""
        return self.root / sha256[:2] / f"{sha256}{suffix}"

    def put(self, chunks: Iterable[bytes], suffix: str = "") -> Blob:
        """Writes to a temporary file, syncs it and renames it. Raises OSError (disk full) and leaves nothing."""
        self.root.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        handle, name = tempfile.mkstemp(dir=self.root, prefix="incoming-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            target = self.path(digest.hexdigest(), suffix)
            target.parent.mkdir(exist_ok=True)
            temporary.replace(target)
            _sync_folder(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        return Blob(digest.hexdigest(), size, target)

    def put_file(self, source: Path, suffix: str = "") -> Blob:
        """Stores a copy of a file."""
        with source.open("rb") as file:
            return self.put(iter(lambda: file.read(CHUNK_BYTES), b""), suffix)


def _sync_folder(folder: Path) -> None:
    """Makes a rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
