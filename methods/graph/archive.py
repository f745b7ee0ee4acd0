"""Opens a zip that anybody may have sent: held against what an honest writer makes before a byte of it is unpacked.

A zip says everything twice, in each member's local header and in the directory at its end (PKWARE APPNOTE 6.3.10).
Where the two differ, overlap or leave gaps, readers see different files; none of that is let through here. Overlapping
members and ratios are what zip bombs are made of (Fifield 2019, "A better zip bomb", WOOT).
"""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

from methods.graph.nodes_json import BadFile

MAX_ENTRIES, MAX_DIRECTORY_BYTES, MAX_NAME = 20_000, 16 << 20, 512
RATIO, SMALL_BYTES = 200, 1 << 20
"""A member above SMALL_BYTES may unpack to RATIO times its packed size."""
ENCRYPTED, DESCRIPTOR, UTF8 = 0x1 | 0x40 | 0x2000, 0x8, 0x800
DESCRIPTOR_BYTES = (12, 16, 20, 24)
END, END64, LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
LOCAL = struct.Struct("<4s5H3L2H")
UNKNOWN = 0xFFFFFFFF
"""What a 32-bit size says when the size stands elsewhere."""


def open_archive(source: Path | IO[bytes], deflated: bool = False) -> zipfile.ZipFile:
    """The zip in a file or a seekable stream, every member checked; `deflated` allows compressed members.

    Raises BadFile where it is truncated, a bomb, encrypted, holds links, duplicates, names that lead elsewhere,
    bytes that belong to no member, or says two different things about a member.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        start, count = _directory(stream, stream.seek(0, os.SEEK_END))
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OSError) as error:
        raise BadFile(f"is truncated or damaged ({str(error)[:120]})") from error
    infos = archive.infolist()
    if len(infos) != count:
        raise BadFile(f"its directory lists {len(infos)} members, but says {count}")
    if len({i.filename.casefold() for i in infos}) != count:
        raise BadFile("holds duplicate members")
    for info in infos:
        _check_member(info, deflated)
    assert archive.fp is not None
    _check_layout(archive.fp, infos, start)
    return archive


def _directory(stream: IO[bytes], size: int) -> tuple[int, int]:
    """Where the directory starts and how many members it has, from the last bytes of the file."""
    tail = _at(stream, max(0, size - END.size - LOCATOR.size - END64.size), size)
    if len(tail) < END.size or tail[-END.size : -END.size + 4] != b"PK\x05\x06":
        raise BadFile("is truncated, or has something after its end")
    _, disk, first, here, count, length, start, comment = END.unpack(tail[-END.size :])
    end = size - END.size
    if tail[-END.size - LOCATOR.size :][:4] == b"PK\x06\x07":
        end -= LOCATOR.size + END64.size
        if end < 0 or tail[:4] != b"PK\x06\x06" or LOCATOR.unpack(tail[END64.size : -END.size])[2] != end:
            raise BadFile("its 64-bit end record is not where it should be")
        short = (count, length, start)
        _, _, _, _, disk, first, here, count, length, start = END64.unpack(tail[: END64.size])
        if any(s not in (0xFFFF, UNKNOWN, long) for s, long in zip(short, (count, length, start))):
            raise BadFile("its 32-bit and 64-bit end records differ")
    if disk or first or comment or here != count or start + length != end:
        raise BadFile("its end record is damaged: the directory is not where it says")
    if count > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise BadFile(f"holds {count} members; at most {MAX_ENTRIES} are read")
    return start, count


def _check_member(info: zipfile.ZipInfo, deflated: bool) -> None:
    name = info.orig_filename
    parts = name.split("/")
    if len(name) > MAX_NAME or not name.isprintable() or any(c in name for c in '\\:\0"') or not all(parts):
        raise BadFile(f"holds a member with the odd name {name[:60]!r}")
    if ".." in parts or "." in parts:
        raise BadFile(f"holds the member {name[:60]!r}, a name that leads elsewhere")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
        raise BadFile(f"holds the member {name[:60]!r}, which is a link or a device")
    if info.flag_bits & ENCRYPTED:
        raise BadFile(f"holds the encrypted member {name[:60]!r}")
    if info.compress_type != zipfile.ZIP_STORED and not (deflated and info.compress_type == zipfile.ZIP_DEFLATED):
        raise BadFile(f"holds the compressed member {name[:60]!r}, which such a file never does")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise BadFile(f"the member {name[:60]!r} is stored, but says it has two sizes")
    if info.file_size > SMALL_BYTES and info.file_size > RATIO * max(1, info.compress_size):
        raise BadFile(f"the member {name[:60]!r} unpacks to {info.file_size:,} bytes from {info.compress_size:,}")


def _check_layout(stream: IO[bytes], infos: list[zipfile.ZipInfo], end: int) -> None:
    """Members lie one after the other from the first byte to the directory, each as its local header says."""
    at = 0
    ordered = sorted(infos, key=lambda i: i.header_offset)
    for info, following in zip(ordered, [*(i.header_offset for i in ordered[1:]), end]):
        if info.header_offset != at:
            raise BadFile("does not begin with a member")
        stop = _local_end(stream, info)
        gap = following - stop
        if gap and not (info.flag_bits & DESCRIPTOR and gap in DESCRIPTOR_BYTES):
            raise BadFile(f"the member {info.filename[:60]!r} overlaps the next one, or bytes lie between them")
        at = following


def _local_end(stream: IO[bytes], info: zipfile.ZipInfo) -> int:
    """Where a member's content ends, once its local header agrees with the directory."""
    head = _at(stream, info.header_offset, info.header_offset + LOCAL.size)
    if len(head) != LOCAL.size or head[:4] != b"PK\x03\x04":
        raise BadFile(f"the member {info.filename[:60]!r} is not where the directory says")
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(head)
    start = info.header_offset + LOCAL.size
    name = _at(stream, start, start + name_length)
    expected = info.orig_filename.encode("utf-8" if flags & UTF8 else "cp437", "replace")
    if packed == size == UNKNOWN:
        size, packed = _sizes64(_at(stream, start + name_length, start + name_length + extra_length))
    known = ((crc, info.CRC), (packed, info.compress_size), (size, info.file_size))
    later = (0,) if flags & DESCRIPTOR else ()
    differs = any(local not in (listed, *later) for local, listed in known)
    if (flags, method, name) != (info.flag_bits, info.compress_type, expected) or differs:
        raise BadFile(f"the directory and the header of the member {info.filename[:60]!r} differ")
    return start + int(name_length) + int(extra_length) + info.compress_size


def _sizes64(extra: bytes) -> tuple[int, int]:
    """Unpacked and packed size out of the 64-bit field of a local header, which comes first where there is one."""
    if len(extra) < 20 or extra[:2] != b"\x01\0":
        return UNKNOWN, UNKNOWN
    size, packed = struct.unpack("<2Q", extra[4:20])
    return size, packed


def _at(stream: IO[bytes], start: int, stop: int) -> bytes:
    stream.seek(start)
    return stream.read(stop - start)


def read_json(data: bytes, name: str) -> Any:
    """JSON without what makes two readers differ or fall over: repeated keys, NaN, endless nesting. Raises BadFile."""
    try:
        return json.loads(data, object_pairs_hook=_table, parse_constant=_no_constant)
    except RecursionError as error:
        raise BadFile(f"{name} is nested too deeply") from error
    except ValueError as error:
        raise BadFile(f"{name} is damaged ({str(error)[:120]})") from error


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key is there twice")
    return table


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number")
