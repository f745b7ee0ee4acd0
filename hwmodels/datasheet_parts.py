"""The parts of a datasheet document that are more than names and numbers: memories, the array, widths, sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from hwmodels.datasheet_fields import ARRAY, COUNT, HOLDS, MEMORY, Checks
from hwmodels.device import Memory, PeArray
from hwmodels.levels import ARITHMETIC, STATIC


def structured(checks: Checks, document: Mapping[str, Any]) -> dict[str, Any]:
    """Memories, the array, widths and sources."""
    found: dict[str, Any] = {}
    if "memories" in document:
        listed = enumerate(checks.items("memories", document["memories"]))
        found["memories"] = tuple(_memory(checks, f"memories.{n}.", entry) for n, entry in listed)
        _distinct(checks, found["memories"])
    if "array" in document:
        entries = checks.entries("array", document["array"])
        checks.unknown("array.", entries, ARRAY)
        words = {name: int(checks.number(f"array.{name}", entries.get(name), COUNT)) for name in ARRAY}
        found["array"] = PeArray(**words)
        if len(found.get("memories", ())) != 4:
            checks.wrong("array", "needs four memories: register file, array, buffer and DRAM, in this order")
    if "storage_bits" in document:
        found["storage_bits"] = _widths(checks, document["storage_bits"])
    if "compressed" in document:
        found["compressed"] = document["compressed"]
        if not isinstance(document["compressed"], bool):
            checks.wrong("compressed", f"is {document['compressed']!r:.60}; it is true or false")
    if "sources" in document:
        sources = checks.items("sources", document["sources"])
        found["sources"] = tuple(checks.text(f"sources.{n}", text) for n, text in enumerate(sources))
    return found


def _memory(checks: Checks, at: str, entry: Any) -> Memory:
    entries = checks.entries(at.rstrip("."), entry)
    checks.unknown(at, entries, ("name", *MEMORY, "holds"))
    numbers = [checks.number(f"{at}{name}", entries.get(name, 0), within) for name, within in MEMORY.items()]
    holds = checks.text(f"{at}holds", entries.get("holds", "everything"), HOLDS)
    name = checks.text(f"{at}name", entries.get("name"))
    return Memory(name, int(numbers[0]), float(numbers[1]), float(numbers[2]), cast("Any", holds))


def _distinct(checks: Checks, memories: tuple[Memory, ...]) -> None:
    """Energy is reported by these names."""
    seen = {ARITHMETIC, STATIC}
    for n, memory in enumerate(memories):
        if memory.name in seen:
            checks.wrong(f"memories.{n}.name", f"{memory.name!r:.60} is taken; each level has a name of its own")
        seen.add(memory.name)


def _widths(checks: Checks, value: Any) -> dict[int, int]:
    found: dict[int, int] = {}
    for wide, narrow in checks.entries("storage_bits", value).items():
        if not str(wide).isdecimal() or int(wide) not in range(1, 65):
            checks.wrong(f"storage_bits.{wide}", "a width is a whole number of bits, such as 32")
            continue
        found[int(wide)] = int(checks.number(f"storage_bits.{wide}", narrow, COUNT))
        if found[int(wide)] > int(wide):
            checks.wrong(f"storage_bits.{wide}", f"is {narrow}; values are kept in {wide} bits or fewer")
    return found
