"""Devices and their tables in words: for the pages and for the command line, from the API's documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from search.amounts import NONE, amount, percent
from search.limits import format_figure
from service.words import moment

Document = Mapping[str, Any]

LATENCY = {
    "measured": "measured, and looked up in the table of timings",
    "imported": "looked up in an imported table; what it lacks is refused",
    "analytical": "modelled",
}


def facts(device: Document) -> list[tuple[str, str]]:
    """Where latency and energy come from, settings and capacities."""
    batch, threads = device["batch"], device["threads"]
    latency: str = LATENCY.get(device["kind"], str(device["kind"]))
    found = [
        ("Comes from", provenance(device)),
        ("Latency", latency),
        ("Energy", "metered where the table says so, else modelled" if metered(device) else "modelled"),
        ("Settings", f"batch {batch}, {threads} thread{'s' if threads != 1 else ''}"),
    ]
    found += [("Runtime", device["profiler"])] if device["profiler"] else []
    found += [("Floats", f"computed in {device['precision']}")] if device.get("precision") else []
    for name, size in (("RAM", device["ram_bytes"]), ("Flash", device["flash_bytes"])):
        found += [(name, format_figure("file_bytes", size))] if size else []
    if device["channel_multiple"] > 1:
        found.append(("Channels", f"best in multiples of {device['channel_multiple']}"))
    return found


def provenance(device: Document) -> str:
    """Who says what the device is."""
    if device["provenance"] == "catalogue":
        return "the catalogue"
    return "added here, served by agents" if device["agents"] else "added here"


def metered(device: Document) -> bool:
    """Whether a meter was read for some row of its tables."""
    return any(table.get("metered") for table in device.get("measured") or ())


def precisions(device: Document) -> list[tuple[str, str, str]]:
    """Precision, rate and energy of one multiply-accumulate; a rate that nothing is computed from isn't shown."""
    energies, measured = device["mac_energy_j"], device["kind"] != "analytical"
    return [
        (name, NONE if measured else format_figure("macs", rate), energy_text(energies.get(name)))
        for name, rate in device["macs_per_s"].items()
    ]


def memories(device: Document) -> list[tuple[str, str, str, str]]:
    """Level, size, bandwidth and energy per bit, nearest to the arithmetic first."""
    return [
        (
            memory["name"],
            format_figure("file_bytes", memory["bytes"]) if memory["bytes"] else "as needed",
            f"{format_figure('file_bytes', speed)}/s" if (speed := memory["bandwidth_bytes_per_s"]) else NONE,
            energy_text(memory["energy_j_per_bit"]),
        )
        for memory in device["memories"]
    ]


def table_in_short(device: Document) -> str:
    """The newest table in a few words: `812 rows, within 0.9 %`."""
    tables = device.get("measured") or ()
    if not tables:
        return NONE if device["kind"] == "analytical" else "empty"
    return f"{tables[0]['rows']} rows" + ("" if tables[0]["calibrated"] else ", not calibrated")


def table_facts(table: Document, now: float) -> list[tuple[str, str]]:
    """What a table holds for, how much it holds, and how far it can be trusted."""
    began, last = moment(table["created_at"], now), moment(table["last_at"], now)
    networks = f", and {table['networks']} whole networks" if table["networks"] else ""
    operators = sum(entry["rows"] for entry in table["operators"])
    found = [
        ("Runtime", f"{table['runtime']} {table['version']}"),
        ("Machine", table["machine"]),
        ("Generation", str(table["generation"])),
        ("Rows", f"{operators} operators{networks}"),
        *calibration_facts(table["calibration"]),
        ("Noise floor", noise(table)),
        ("Energy", f"metered in {table['metered']} rows" if table["metered"] else "no meter was read; modelled"),
    ]
    found += [("Begun", f"{began.date} ({began.text})")] if began else []
    return found + ([("Last row", f"{last.date} ({last.text})")] if last else [])


def noise(table: Document) -> str:
    """What nine rows of ten repeat within."""
    if table["noise_floor"] is None:
        return NONE
    busy = "; the machine was busy while it was measured" if table["noise_floor"] > 0.05 else ""
    return f"nine rows of ten repeat within {percent(table['noise_floor'])}{busy}"


def calibration_facts(calibration: Document | None) -> list[tuple[str, str]]:
    """How right the table is on networks that its calibration hasn't seen."""
    if not calibration:
        return [("Calibration", "none yet: fitwright profile measures whole networks")]
    found = calibration
    errors = f"mean {percent(found['mean'])}, p90 {percent(found['p90'])}, worst {percent(found['worst'])}"
    found_on = f"{found['networks']} networks of {', '.join(found['families'])}"
    return [
        ("Error on unseen networks", f"{errors}, ranks them with tau {found['tau']:.3f}"),
        ("Error on unseen families", f"mean {percent(found['family_mean'])}"),
        ("Margin of budgets", f"{percent(found['margin'])}: 95 networks of 100 stay within it"),
        ("Calibrated on", f"{found_on}, {found['created']}"),
    ]


def operator_lines(table: Document) -> list[tuple[str, int, str, str, str]]:
    """Type, rows, and the least, median and largest latency of its rows."""
    return [
        (e["type"], e["rows"], *(amount("latency_s", e[name]) for name in ("least_s", "median_s", "most_s")))
        for e in table["operators"]
    ]


def energy_text(joules: float | None) -> str:
    """Energies of single operations, in picojoules."""
    return NONE if joules is None or not math.isfinite(joules) else f"{joules * 1e12:.3g} pJ"


def drift_facts(drift: Document) -> list[tuple[str, str]]:
    """What a check has found."""
    words = str(drift.get("words") or "")
    return [("Drift", words[:1].upper() + words[1:])] if words else []
