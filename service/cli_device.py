"""How the command line shows one device and its tables."""

from __future__ import annotations

import time
from typing import Any

from search.amounts import amount, percent
from service import device_words as words
from service.cli_show import facts, hint, say, table

Document = dict[str, Any]

NAMED = 20
"""Operators that are named as missing; --json has all of them."""


def show_device(device: Document) -> None:
    """Datasheet, then each table of these settings, then what a model lacks."""
    say(device["title"])
    say("")
    facts([("id", device["id"]), *((name.lower(), text) for name, text in words.facts(device))])
    if device["kind"] == "analytical" or not device["measured"]:
        _datasheet(device)
    for entry in device["measured"]:
        _table(entry)
    if not device["measured"] and device["kind"] == "measured":
        hint(f"No table yet: fitwright profile --device {device['id']} makes one, and a search measures what it needs")
    others = [name for name in device["settings"] if name != device["id"]]
    if others:
        hint(f"There are tables for other settings: {', '.join(others)}")
    if "coverage" in device:
        _coverage(device["coverage"])


def show_rows(found: Document) -> None:
    """Every row of a table, the longest first."""
    rows = sorted(found["rows"], key=lambda row: -row["latency_s"])
    lines = [
        (
            amount("latency_s", row["latency_s"]),
            amount("latency_s", row["median_s"]),
            row["calls"],
            percent(row["disagreement"]),
            row["signature"] or row["key"],
        )
        for row in rows
    ]
    table("", ("least", "median", "calls", "halves differ by", "what was timed"), lines, right=(0, 1, 2, 3))


def _datasheet(device: Document) -> None:
    say("")
    rates = ("precision", "MACs per second", "energy per MAC")
    table("Arithmetic", rates, words.precisions(device), right=(1, 2))
    say("")
    sizes = ("level", "size", "bandwidth", "energy per bit")
    table("Memories, nearest to the arithmetic first", sizes, words.memories(device), right=(1, 2, 3))
    for source in device["sources"]:
        say("")
        say(f"Source: {source}")


def _table(entry: Document) -> None:
    say("")
    say(f"Table {entry['key']}")
    facts((name.lower(), text) for name, text in words.table_facts(entry, time.time()))
    if entry["operators"]:
        say("")
        columns = ("operator", "rows", "least", "median", "most")
        table("", columns, words.operator_lines(entry), right=(1, 2, 3, 4))


def _coverage(found: Document) -> None:
    say("")
    missing = found["missing"]
    if not missing:
        say("The table has every operator of the model")
        return
    say(f"The table lacks {len(missing)} of the model's {found['operators']} operators:")
    rows = [(entry["name"], entry.get("type", ""), entry.get("signature", "")) for entry in missing[:NAMED]]
    table("", ("operator", "type", "what it would time"), rows)
    if len(missing) > NAMED:
        hint(f"{len(missing) - NAMED} more; --json names all of them")
