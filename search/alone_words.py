"""What each method brings by itself on the device, in lines: worded once for report, pages and command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwmodels.base import METRICS
from search.amounts import NONE, source_words
from search.choice_words import choice_words

Document = Mapping[str, Any]
FIGURES = ("latency_s", "energy_j", "file_bytes")


@dataclass(frozen=True)
class AloneLine:
    """One method at its middle choice everywhere; figures as ratios of the untouched model (`1.03×`)."""

    method: str
    choice: str
    latency: str
    energy: str
    size: str
    source: str
    used: str


def alone_lines(outcome: Document) -> list[AloneLine]:
    """One line per method that took part; nothing for an outcome that was refused before it was looked into."""
    return [_line(entry, outcome) for entry in outcome.get("alone") or []]


def _line(entry: Document, outcome: Document) -> AloneLine:
    ratios = entry["ratios"]
    latency, energy, size = (_ratio(ratios.get(name)) for name in ("latency_s", "energy_j", "file_bytes"))
    choice = choice_words(entry["method"], entry["value"]) if entry["value"] is not None else NONE
    return AloneLine(entry["method"], choice, latency, energy, size, _source(entry), _used(entry, outcome))


def _ratio(found: Document | None) -> str:
    return NONE if found is None else f"{float(found['ratio']):.2f}×"


def _source(entry: Document) -> str:
    """Where the latency comes from, with its error bar."""
    timed = entry["ratios"].get("latency_s")
    return source_words(timed) if timed else NONE


def _used(entry: Document, outcome: Document) -> str:
    """What became of the method in the recipe, and why it is not in there where that is known."""
    if entry["error"]:
        return str(entry["error"])
    compressed = outcome.get("compressed")
    if not compressed:
        return NONE
    chosen = sum(len(s["choices"]) for s in compressed["recipe"]["steps"] if s["method"] == entry["method"])
    if chosen:
        return f"at {chosen} of {entry['sites']} sites"
    limited = [str(limit["metric"]) for limit in outcome.get("limits") or [] if METRICS[limit["metric"]] in FIGURES]
    known = {name: entry["ratios"][METRICS[name]] for name in limited if METRICS[name] in entry["ratios"]}
    useless = [name for name, found in known.items() if float(found["ratio"]) >= 1.0]
    return f"not used: no gain in {' and '.join(useless)} here" if useless else "not used"
