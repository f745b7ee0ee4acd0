"""Reads a zip without trusting it: in memory, within limits, no links and no names that lead elsewhere."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path, PurePosixPath

from search.datasets.dataset import DataError
from search.datasets.npz import BROKEN

MEMBERS = 200_000
RATIO = 200
"""A member that unpacks to more than this many times its packed size is no honest image."""


def read_members(path: Path, limit_bytes: int) -> dict[str, bytes]:
    """The files in a zip by name; hidden ones and folders left out. Raises DataError and writes nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            _check(path, members, limit_bytes)
            return {m.filename: archive.read(m) for m in members if not _hidden(m.filename)}
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{path.name} can't be read as a zip ({error}); pack it again") from error


def _check(path: Path, members: list[zipfile.ZipInfo], limit_bytes: int) -> None:
    if len(members) > MEMBERS or len({m.filename for m in members}) != len(members):
        raise DataError(f"{path.name} holds {len(members)} files or one twice; at most {MEMBERS} are read")
    if sum(m.file_size for m in members) > limit_bytes:
        raise DataError(f"{path.name} unpacks to more than {limit_bytes / 2**20:.0f} MiB; give fewer or smaller images")
    for member in members:
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if name.is_absolute() or ".." in name.parts or ":" in member.filename or "\\" in member.filename:
            raise DataError(
                f"{path.name} holds {member.filename!r}, a name that leads out of the folder; pack it again"
            )
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path.name} holds the link {member.filename!r}; pack the file itself")
        if member.file_size > 2**20 and member.file_size > RATIO * max(1, member.compress_size):
            raise DataError(
                f"{member.filename} in {path.name} unpacks to {member.file_size} bytes, which no image does"
            )


def _hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
