"""What `search/importances.py` found, in words: what the command line and the page show, worded once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.inspect_words import counted

Document = Mapping[str, Any]

NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Line:
    """One importance: its correlations as text, `share` the Spearman correlation from 0 to 100 for a bar."""

    name: str
    spearman: str
    kendall: str
    within: str
    time: str
    share: float
    reason: str


def headline(found: Document) -> str:
    """Which importance foretells best, in a sentence."""
    rated = [line for line in found["importances"] if line["spearman"] is not None]
    if not rated:
        return "no importance could be rated"
    best = rated[0]
    if best["spearman"] < 0.3:
        return "no importance foretells well what removing units of this model does"
    near = [line for line in rated[1:] if best["spearman"] - line["spearman"] < 0.02]
    fast = min([best, *near], key=lambda line: float(line["seconds"]))
    also = f"; {fast['name']} is as good and faster" if fast is not best else ""
    return f"{best['name']} foretells best what removing units of this model does{also}"


def lines(found: Document) -> list[Line]:
    """All importances, the best first."""
    return [
        Line(
            line["name"],
            _number(line["spearman"]),
            _number(line["kendall"]),
            _number(line["within_sites"]),
            f"{line['seconds']:.2f} s",
            round(100 * max(0.0, line["spearman"] or 0.0), 1),
            line["reason"],
        )
        for line in found["importances"]
    ]


def removals_text(found: Document) -> str:
    """`removing 60 units of 4 sites, each alone, on 512 samples`"""
    sites = len({removal["site"] for removal in found["removals"]})
    units = counted(len(found["removals"]), "unit")
    return f"removing {units} of {counted(sites, 'site')}, each alone, on {counted(found['samples'], 'sample')}"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
