"""What a service and an agent tell each other: the protocol's number, header names, and frames that came from outside.

A frame is the one of `profilers/frames.py`: 8 bytes with the length of the header (little-endian), the header as JSON,
and the blobs, whose lengths stand in the header's `blobs`.
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, NoReturn

from hwmodels.base import HardwareModelError
from hwmodels.profilers.channel import Reply

PROTOCOL = 4
"""Counted up when an older agent or service would misunderstand a newer one."""

JOB, TOKEN, LEASE = "Fitwright-Job", "Fitwright-Token", "Fitwright-Lease-S"
"""Headers of a claimed job: its id, what its reply is to show, and how long the agent has it unless it renews."""

MEDIA_TYPE = "application/octet-stream"
HEADER_BYTES = 16 << 20
MOST_BLOBS = 100_000
_LENGTH = struct.Struct("<Q")


class BadFrame(HardwareModelError):
    """A message isn't what it should be."""


def read_header(source: BinaryIO, size: int) -> dict[str, Any]:
    """The header of a frame of `size` bytes, once the lengths in it are known to add up. Raises BadFrame."""
    if size < _LENGTH.size:
        raise BadFrame(f"the frame has {size} bytes; it begins with 8 bytes that give the length of its header")
    (length,) = _LENGTH.unpack(_read(source, _LENGTH.size))
    if length > min(size - _LENGTH.size, HEADER_BYTES):
        raise BadFrame(f"the frame's header is said to have {length:,} bytes; the whole frame has {size:,}")
    header = _json(_read(source, length))
    lengths = header.get("blobs")
    if not isinstance(lengths, list) or len(lengths) > MOST_BLOBS or not all(_is_length(n) for n in lengths):
        raise BadFrame("the frame's header needs `blobs`, a list with the length of each blob in bytes")
    wanted = _LENGTH.size + length + sum(lengths)
    if wanted != size:
        raise BadFrame(f"the frame's lengths add up to {wanted:,} bytes, but it has {size:,}")
    return header


def read_frame(source: BinaryIO, size: int) -> Reply:
    """A whole frame. Raises BadFrame."""
    header = read_header(source, size)
    return header, [_read(source, length) for length in header["blobs"]]


def _json(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"the frame's header isn't JSON ({str(error)[:200]})") from error
    if not isinstance(header, dict):
        raise BadFrame(f"the frame's header is a {type(header).__name__}; it must be an object")
    return header


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise BadFrame(f"the frame is cut off: {size - len(data):,} bytes are missing")
    return data
