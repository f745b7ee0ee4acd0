"""Zips byte by byte, so that every field can lie."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LOCAL = ("version", "flags", "method", "time", "date", "crc", "packed", "size", "name_length", "extra_length")
CENTRAL = ("made", *LOCAL, "comment_length", "disk", "internal", "external", "offset")
END = ("disk", "first", "here", "count", "length", "start", "comment_length")


@dataclass(frozen=True)
class Member:
    """A member; `local` and `central` put other numbers into its two headers."""

    name: bytes
    data: bytes
    packed: bytes | None = None
    method: int = 0
    extra: bytes = b""
    local_name: bytes | None = None
    local: Mapping[str, int] = field(default_factory=dict)
    central: Mapping[str, int] = field(default_factory=dict)


def build(
    members: Iterable[Member], end: Mapping[str, int] | None = None, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A zip of the members as they say, with `before` and `after` around it; offsets count from its own start."""
    body, directory, count = bytearray(), bytearray(), 0
    for member in members:
        packed = member.data if member.packed is None else member.packed
        known: dict[str, int] = {"version": 20, "made": 20, "method": member.method, "date": 33}
        known |= {"crc": zlib.crc32(member.data), "packed": len(packed), "size": len(member.data)}
        known |= {"name_length": len(member.name), "extra_length": len(member.extra), "offset": len(body)}
        name = member.name if member.local_name is None else member.local_name
        body += _pack("<4s5H3L2H", b"PK\x03\x04", LOCAL, known | {"name_length": len(name)} | dict(member.local))
        body += name + member.extra + packed
        directory += _pack("<4s6H3L5H2L", b"PK\x01\x02", CENTRAL, known | {"extra_length": 0} | dict(member.central))
        directory += member.name
        count += 1
    known = {"here": count, "count": count, "length": len(directory), "start": len(body)}
    return (
        before + bytes(body) + bytes(directory) + _pack("<4s4H2LH", b"PK\x05\x06", END, known | dict(end or {})) + after
    )


def deflated(name: bytes, data: bytes, **changes: Any) -> Member:
    """A compressed member."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return Member(name, data, squeeze.compress(data) + squeeze.flush(), 8, **changes)


def rewritten(source: bytes, change: Mapping[str, bytes | None], more: Mapping[str, bytes] | None = None) -> bytes:
    """A zip with members (by the end of their names) replaced, or left out (None), and others added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(source)) as archive, zipfile.ZipFile(buffer, "w") as target:
        root = archive.namelist()[0].partition("/")[0]
        for name in archive.namelist():
            data = next((new for end, new in change.items() if name.endswith(end)), archive.read(name))
            if data is not None:
                target.writestr(zipfile.ZipInfo(name), data)
        for name, data in (more or {}).items():
            target.writestr(zipfile.ZipInfo(name.replace("ROOT", root)), data)
    return buffer.getvalue()


def _pack(layout: str, mark: bytes, names: tuple[str, ...], values: Mapping[str, int]) -> bytes:
    return struct.pack(layout, mark, *(values.get(name, 0) for name in names))
