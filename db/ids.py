"""Opaque ids: a prefix that says of what, and a UUIDv7, so that they sort by time."""

from __future__ import annotations

import re
import secrets
import threading
import time

_lock = threading.Lock()
_last = 0
_SHAPE = re.compile(r"[a-z]{3}_[0-9a-f]{32}", re.ASCII)


def new_id(prefix: str) -> str:
    """`prefix_` + a UUIDv7 in hex; later calls in one process sort after earlier ones.

    Reference: RFC 9562, section 5.7, with the counter of section 6.2, method 1.
    """
    ordered = _tick()
    value = ((ordered >> 12) << 80) | (0x7 << 76) | ((ordered & 0xFFF) << 64) | (0b10 << 62) | secrets.randbits(62)
    return f"{prefix}_{value:032x}"


def is_id(text: str, prefix: str) -> bool:
    """Whether `text` has the shape of an id of this kind; anything else need not be looked up."""
    return _SHAPE.fullmatch(text) is not None and text.startswith(f"{prefix}_")


def _tick() -> int:
    """Milliseconds and a 12-bit counter in one number that only ever grows."""
    global _last
    with _lock:
        _last = max(_last + 1, int(time.time() * 1000) << 12)
        return _last
