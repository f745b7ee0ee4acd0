"""Is a reply of an agent what was asked for? Nothing of it is believed before that is known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from hwmodels.agent_protocol import BadFrame, read_frame, read_header
from hwmodels.base import Measurement
from hwmodels.profilers.channel import Reply
from hwmodels.table import BadTable, read_row

MOST_ERROR = 2000
"""Letters of a runtime's own words that are kept."""
MOST_GAUGE_S = 3600.0
_FIELDS = {field.name for field in fields(Measurement)}


def check_reply(path: Path, request: Mapping[str, Any]) -> None:
    """Holds the frame in a file against the header of its request. Raises BadFrame, naming what is wrong."""
    with path.open("rb") as source:
        header = read_header(source, path.stat().st_size)
    if "error" in header:
        _check_error(header)
    elif request["action"] == "time":
        _check_times(header, request)
    elif not _finite(header):
        raise BadFrame("the reply holds a number that isn't finite")


def read_reply(path: Path) -> Reply:
    """A reply that was checked; an error in it has no letters that a terminal or a database chokes on."""
    with path.open("rb") as source:
        header, blobs = read_frame(source, path.stat().st_size)
    if "error" in header:
        header["error"] = "".join(c if c.isprintable() else " " for c in header["error"])[:MOST_ERROR]
    return header, blobs


def _check_error(header: Mapping[str, Any]) -> None:
    extra = sorted(set(header) - {"error", "unsupported", "blobs"})
    if extra or not isinstance(header["error"], str) or not isinstance(header.get("unsupported", False), bool):
        raise BadFrame("a reply with an `error` has that text, perhaps `unsupported` (true or false), and nothing else")


def _check_times(header: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    extra = sorted(set(header) - {"measurements", "gauge_s", "blobs"})
    if extra:
        raise BadFrame(f"a reply to `time` has measurements and gauge_s; this one also has {', '.join(extra)[:200]}")
    rows, wanted = header.get("measurements"), len(request["labels"])
    if not isinstance(rows, list) or len(rows) != wanted:
        found = f"{len(rows)} were sent" if isinstance(rows, list) else "there is no such list"
        raise BadFrame(f"{wanted} measurements were asked for, and {found}")
    for number, row in enumerate(rows):
        _check_measurement(f"measurements/{number}", row)
    gauge_s = header.get("gauge_s")
    if isinstance(gauge_s, bool) or not isinstance(gauge_s, int | float) or not 0 < gauge_s < MOST_GAUGE_S:
        raise BadFrame(f"gauge_s is {gauge_s!r}; it is a time in seconds, above 0 and below {MOST_GAUGE_S:g}")


def _check_measurement(place: str, row: Any) -> None:
    if not isinstance(row, Mapping) or not set(row) <= _FIELDS:
        raise BadFrame(f"{place} must be an object with {', '.join(sorted(_FIELDS))}")
    try:
        read_row({"key": place, **row})
    except BadTable as error:
        raise BadFrame(str(error)) from error
    except OverflowError as error:
        raise BadFrame(f"{place} holds a number that is too large") from error


def _finite(value: Any) -> bool:
    """Whether no number in it is infinite; a loop, because it may be nested deeper than functions can be."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, float) and not math.isfinite(part):
            return False
        left += part.values() if isinstance(part, Mapping) else part if isinstance(part, list) else ()
    return True
