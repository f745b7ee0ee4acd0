"""What the page of devices shows: where the figures of each come from, and how much of its table is filled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from hwmodels.device import Device, Memory
from search.amounts import NONE
from search.limits import format_figure


@dataclass(frozen=True)
class TableFacts:
    """What was measured on one machine: its key, the number of rows, and how far repeated timings disagree."""

    machine: str
    rows: int
    noise: float | None


@dataclass(frozen=True)
class DeviceCard:
    """One device in words."""

    id: str
    title: str
    measured: bool
    facts: tuple[tuple[str, str], ...]
    precisions: tuple[tuple[str, str, str], ...]
    memories: tuple[tuple[str, str, str, str], ...]
    sources: tuple[str, ...]


def device_card(device: Device, tables: Sequence[TableFacts] = ()) -> DeviceCard:
    """From a device of the catalogue and the tables that were measured for it."""
    measured = device.kind == "measured"
    return DeviceCard(
        id=device.id,
        title=device.title,
        measured=measured,
        facts=tuple(_facts(device, tables)),
        precisions=tuple(_precision(device, name, measured) for name in device.precisions),
        memories=tuple(_memory(memory) for memory in device.memories),
        sources=device.sources,
    )


def table_facts(machine: str, rows: Sequence[Mapping[str, Any]]) -> TableFacts:
    """From the stored rows of one machine."""
    spread = [float(row["disagreement"]) for row in rows if row.get("disagreement") is not None]
    return TableFacts(machine, len(rows), median(spread) if spread else None)


def _facts(device: Device, tables: Sequence[TableFacts]) -> list[tuple[str, str]]:
    measured = device.kind == "measured"
    facts = [
        ("Latency", "measured, and looked up in the table of timings" if measured else "modelled"),
        ("Energy", "modelled"),
        ("Settings", f"batch {device.batch}, {device.threads} thread{'s' if device.threads != 1 else ''}"),
    ]
    capacities = (("RAM", device.ram_bytes), ("Flash", device.flash_bytes))
    facts += [(name, format_figure("file_bytes", size)) for name, size in capacities if size]
    if device.channel_multiple > 1:
        facts.append(("Channels", f"best in multiples of {device.channel_multiple}"))
    for table in tables:
        noise = "" if table.noise is None else f"; halves of a timing disagree by {100 * table.noise:.2g} % (median)"
        facts.append(("Table", f"{table.rows} operators timed{noise} – {table.machine}"))
    if measured and not tables:
        facts.append(("Table", "empty: operators are timed when a search first needs them"))
    return facts


def _precision(device: Device, name: str, measured: bool) -> tuple[str, str, str]:
    """Rate and energy of one precision; where latency is measured, the rate isn't used and isn't shown."""
    energy = device.mac_energy_j.get(name)
    rate = NONE if measured else format_figure("macs", device.macs_per_s[name])
    return name, rate, NONE if energy is None else energy_text(energy)


def _memory(memory: Memory) -> tuple[str, str, str, str]:
    bandwidth = memory.bandwidth_bytes_per_s
    return (
        memory.name,
        format_figure("file_bytes", memory.bytes) if memory.bytes else "as needed",
        f"{format_figure('file_bytes', bandwidth)}/s" if bandwidth else NONE,
        energy_text(memory.energy_j_per_bit),
    )


def energy_text(joules: float) -> str:
    """Energies of single operations, in picojoules."""
    return f"{joules * 1e12:.3g} pJ"
