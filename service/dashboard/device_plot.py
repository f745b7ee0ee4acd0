"""The figure of a device's page: how long operators take, by type."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from search.amounts import amount
from search.plot_parts import KEPT, QUIET, dressed
from service.device_views import kind_of

TYPES, POINTS = 18, 3000
"""How many types the figure shows, those that take longest in all, and how many rows."""


def operators_figure(rows: Sequence[Mapping[str, Any]]) -> go.Figure:
    """One mark per row of a table over its latency, logarithmic, in a line for each type of operator.

    Rows whose two halves disagree by more than a tenth are marked by a cross.
    """
    timed = [(kind, row) for row in rows if (kind := kind_of(row))]
    total: dict[str, float] = {}
    for kind, row in timed:
        total[kind] = total.get(kind, 0.0) + float(row["latency_s"])
    kinds = sorted(total, key=lambda kind: total[kind])[-TYPES:]
    shown = [(kind, row) for kind, row in timed if kind in kinds]
    shown = shown[:: len(shown) // POINTS + 1]
    figure = go.Figure()
    quiet = [(k, r) for k, r in shown if float(r.get("disagreement") or 0.0) <= 0.1]
    _series(figure, "timed", quiet, "circle-open", KEPT)
    _series(figure, "halves differ by more than 10 %", [e for e in shown if e not in quiet], "x-thin-open", QUIET)
    figure.update_xaxes(type="log", title="latency of one operator, µs")
    figure.update_yaxes(categoryorder="array", categoryarray=kinds)
    return dressed(figure, max(260, 110 + 26 * len(kinds)))


def _series(
    figure: go.Figure, name: str, rows: Sequence[tuple[str, Mapping[str, Any]]], symbol: str, colour: str
) -> None:
    if not rows:
        return
    figure.add_scatter(
        x=[1e6 * float(row["latency_s"]) for _, row in rows],
        y=[kind for kind, _ in rows],
        mode="markers",
        name=name,
        marker={"symbol": symbol, "color": colour, "size": 8, "line": {"color": colour, "width": 1.5}},
        text=[_hover(row) for _, row in rows],
        hovertemplate="%{text}<extra></extra>",
    )


def _hover(row: Mapping[str, Any]) -> str:
    signature = html.escape(str(row.get("signature") or row["key"])[:160])
    return f"{amount('latency_s', float(row['latency_s']))}<br>{signature}"
