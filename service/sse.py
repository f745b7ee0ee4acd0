"""Reads server-sent events, as the HTML standard (section 9.2) writes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event: its number (empty: none), its kind, and its data as text."""

    id: str
    kind: str
    data: str


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """Events from the lines of a stream; comments and unknown fields are passed over, a last one cut off is dropped."""
    number, kind, data = "", "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield Event(number, kind, "\n".join(data))
            number, kind, data = "", "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            number = value
