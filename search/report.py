"""The report inside every bundle: one page that needs no network, no server and no other file."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup
from plotly.graph_objects import Figure
from plotly.offline import get_plotlyjs

from hwmodels.base import METRICS
from search import plots, summary
from search.alone_words import alone_lines
from search.amounts import NONE, amount, percent, source_words, title, value
from search.energy_words import energy_lines

Document = Mapping[str, Any]


def write_report(
    outcome: Document,
    trials: Sequence[Document],
    reference: Document | None,
    path: Path,
    receipt: Document | None = None,
) -> None:
    """Writes the report of an outcome to `path` (about 2 MB, most of it Plotly's own script, compressed).

    Args:
        outcome: the outcome document. trials: trial documents. reference: the untouched model as the search saw it.
        receipt: names and values that stand under "Receipt"; nested values are left to receipt.json.
    """
    path.write_text(render(outcome, trials, reference, receipt), encoding="utf-8")


def render(
    outcome: Document, trials: Sequence[Document], reference: Document | None, receipt: Document | None = None
) -> str:
    """The report as text; names from the user's model and files are escaped."""
    page = environment().get_template("report.html")
    compressed = outcome.get("compressed") or {}
    return page.render(
        outcome=outcome,
        verdict=summary.verdict(outcome),
        headline=summary.headline(outcome),
        trust=summary.trust_lines(outcome),
        limits=summary.limit_lines(outcome),
        rounds=summary.round_lines(outcome),
        alone=alone_lines(outcome),
        energy=energy_lines(outcome),
        least=summary.least_lines(outcome),
        layers=summary.layer_lines(outcome),
        recipe=summary.recipe_lines(compressed.get("recipe")),
        finalists=finalist_lines(outcome),
        flags=outcome.get("flags") or [],
        figures={name: Markup(plots.embedded(figure)) for name, figure in _figures(outcome, trials, reference).items()},
        files={name: amount("file_bytes", size) for name, size in (outcome.get("files") or {}).items()},
        axes=[title(name).lower() for name in axes(outcome)],
        receipt=_flat(receipt or {}),
        packed_script=base64.b64encode(packed_plotly()).decode(),
    )


def finalist_lines(outcome: Document) -> list[tuple[int, str, str, str, str, bool]]:
    """Per finalist: trial, quality, latency and where that comes from, file size, whether it keeps all limits."""
    return [
        (
            int(f["trial"]),
            percent((f.get("quality") or {}).get("score")),
            amount("latency_s", value(f.get("costs") or {}, "latency_s")),
            source_words((f.get("costs") or {}).get("latency_s") or {"source": NONE}),
            amount("file_bytes", value(f.get("costs") or {}, "file_bytes")),
            bool(f.get("kept")),
        )
        for f in outcome.get("finalists") or []
    ]


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Templates of this package; everything is escaped unless it is marked as safe."""
    return Environment(
        loader=PackageLoader("search", "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )


def _figures(outcome: Document, trials: Sequence[Document], reference: Document | None) -> dict[str, Figure]:
    compressed = outcome.get("compressed")
    chosen = compressed["trial"] if compressed else None
    figures = {}
    if any(value(t.get("costs") or {}, "latency_s") is not None for t in trials):
        limits = outcome.get("limits") or []
        first, second = axes(outcome)
        figures["front"] = plots.front_figure(trials, limits, reference, x=first, chosen=chosen)
        figures["size"] = plots.front_figure(trials, limits, reference, x=second, chosen=chosen)
    if compressed:
        figures["savings"] = plots.savings_figure(outcome)
    if outcome.get("energy_levels"):
        figures["energy"] = plots.energy_figure(outcome)
    if compressed and outcome.get("layers"):
        figures["layers"] = plots.layers_figure(outcome, _layer_measure(outcome))
    return figures


def axes(outcome: Document) -> tuple[str, str]:
    """The costs that trials are drawn over: the first that is limited, and file size or, where that is it, latency."""
    limited = [METRICS[limit["metric"]] for limit in outcome.get("limits") or []]
    first = (limited or ["latency_s"])[0]
    return first, "file_bytes" if first != "file_bytes" else "latency_s"


def _layer_measure(outcome: Document) -> str:
    """Latency per layer where the device has it, else MACs."""
    known = any((layer.get("before") or {}).get("latency_s") for layer in outcome["layers"])
    return "latency_s" if known else "macs"


def _flat(receipt: Document) -> dict[str, str]:
    """What stands by itself as it is; the request and the versions in one line each."""
    lines = {str(k).replace("_", " "): str(v) for k, v in receipt.items() if isinstance(v, str | int | float)}
    for name, joint in (("request", " = "), ("versions", " ")):
        entries = receipt.get(name)
        if isinstance(entries, Mapping):
            parts = [f"{k}{joint}{_plain(v)}" for k, v in entries.items() if v not in (None, "")]
            lines[name] = ", ".join(parts)
    return lines


def _plain(found: object) -> str:
    """A value of the request; limits as `latency 0.5x`."""
    return " and ".join(f"{k} {v}" for k, v in found.items()) if isinstance(found, Mapping) else str(found)


@lru_cache(maxsize=1)
def packed_plotly() -> bytes:
    """Plotly's own script from its installed package, in gzip: a third of its size, the same bytes every time."""
    return gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)
