"""Where the energy goes, in lines: worded once for report and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.amounts import amount, percent, ratio


def energy_lines(outcome: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Per level: its name, energy before and after, their ratio, and its share of the compressed network's energy."""
    levels = list((outcome.get("energy_levels") or {}).get("levels") or [])
    whole = {"name": "total"} | {side: sum(float(x[side]) for x in levels) for side in ("before", "after")}
    return [
        (
            str(level["name"]),
            amount("energy_j", float(level["before"])),
            amount("energy_j", float(level["after"])),
            ratio(float(level["after"]), float(level["before"])),
            percent(float(level["after"]) / float(whole["after"] or 1.0)),
        )
        for level in ([*levels, whole] if levels else [])
    ]
