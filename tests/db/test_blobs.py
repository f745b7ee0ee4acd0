"""Blobs are whole or not there."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.blobs import BlobStore


def test_content_is_kept_under_its_hash(tmp_path: Path) -> None:
    """The name of the file is the SHA-256 of what is in it, and equal content is kept once."""
    store = BlobStore(tmp_path)
    first, second = store.put([b"ab", b"c"], ".fwm"), store.put([b"abc"], ".fwm")
    assert first == second
    assert first.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert (first.path.read_bytes(), first.file_bytes) == (b"abc", 3)
    assert first.path == store.path(first.sha256, ".fwm")


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When the source breaks off, neither the blob nor the temporary file stays."""

    def source() -> Iterator[bytes]:
        yield b"half"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        BlobStore(tmp_path).put(source())
    assert list(tmp_path.rglob("*")) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A real write past the file size limit fails as on a full disk: no half blob."""
    import resource
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            BlobStore(tmp_path).put([b"x" * (1 << 18)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.rglob("*")) == []
