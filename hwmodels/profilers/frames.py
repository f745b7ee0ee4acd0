"""Messages between a process and its measuring child: a JSON header and raw bytes, each with its length. No pickle.

A frame is the header's length, the header, and one blob after the other; the header's `blobs` holds their lengths.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from typing import Any

_LENGTH = struct.Struct("<Q")

Read = Callable[[int], bytes]
"""Reads exactly that many bytes; raises EOFError where the other side has gone."""


def pack(header: dict[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """The pieces of one frame, to be written in order."""
    text = json.dumps(header | {"blobs": [len(blob) for blob in blobs]}, allow_nan=False).encode()
    return [_LENGTH.pack(len(text)), text, *blobs]


def unpack(read: Read) -> tuple[dict[str, Any], list[bytes]]:
    """One frame: its header and its blobs."""
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    header: dict[str, Any] = json.loads(read(length))
    return header, [read(size) for size in header["blobs"]]
