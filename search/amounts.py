"""Cost figures in words: titles, units and comparisons as pages, reports and tables show them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from search.limits import DISPLAY, format_figure

TITLES: Mapping[str, str] = {
    "latency_s": "Latency",
    "energy_j": "Energy",
    "file_bytes": "File size",
    "weight_bytes": "Weight bytes",
    "peak_bytes": "Peak memory",
    "macs": "MACs",
}
"""What each Cost figure is called, in the order in which tables show them."""

QUALITIES: Mapping[str, str] = {
    "accuracy": "Accuracy",
    "fit": "Fit to the labels",
    "agreement": "Agreement with the original",
}
"""What the score of a quality document is called, by the key under which it stands there a second time."""

NONE = "–"


def title(figure: str) -> str:
    """What a figure is called; an unknown one by its own name."""
    return TITLES.get(figure, figure)


def scale(figure: str, values: Iterable[float]) -> tuple[float, str]:
    """The unit of an axis that shows these values: what one of it is worth in the base unit, and its name."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    steps = next((DISPLAY[end] for end in DISPLAY if figure.endswith(end)), ())
    return next(((worth, unit.strip()) for start, worth, unit in steps if largest >= start), (1.0, ""))


def amount(figure: str, value: float | None) -> str:
    """A value with its unit: `amount("latency_s", 0.00123)` is `1.23 ms`; a dash where there is none."""
    return NONE if value is None or not math.isfinite(value) else format_figure(figure, value)


def ratio(after: float | None, before: float | None) -> str:
    """How a value compares with the untouched one: `0.47×`, `0.031×`."""
    if after is None or before is None or not before:
        return NONE
    share = after / before
    return f"{share:.2f}×" if share >= 0.1 or share == 0 else f"{share:.2g}×"


def percent(share: float | None) -> str:
    """A share of one as per cent: `97.40 %`."""
    return NONE if share is None or not math.isfinite(share) else f"{100 * share:.2f} %"


def value(costs: Mapping[str, Mapping[str, Any]], figure: str) -> float | None:
    """A figure's value out of Cost JSON, None where it is missing."""
    entry = costs.get(figure)
    return None if entry is None else float(entry["value"])


def source_words(entry: Mapping[str, Any]) -> str:
    """Where a figure comes from, with its error bar: `looked up, ±1.2 %`, `counted`."""
    error = float(entry.get("error") or 0.0)
    return f"{entry['source']}, ±{100 * error:.2g} %" if error else str(entry["source"])


def quality_name(quality: Mapping[str, Any]) -> str:
    """What the score of a quality document is: accuracy where labels are classes, fit to them where they are values,
    agreement with the original where there are none."""
    return next((name for key, name in QUALITIES.items() if key in quality), "Quality")
