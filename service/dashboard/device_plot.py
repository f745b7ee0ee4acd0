"""The figures of a device's page: how long operators take, by type, and how right the table is on unseen networks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from search.amounts import amount
from search.plot_parts import KEPT, QUIET, SHADES, dressed
from service.device_views import kind_of

_MARKS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")

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
    figure.update_xaxes(type="log", dtick="D2", title="latency of one operator, µs")
    figure.update_yaxes(categoryorder="array", categoryarray=kinds)
    return dressed(figure, max(260, 110 + 26 * len(kinds)))


def unseen_figure(calibration: Mapping[str, Any]) -> go.Figure:
    """How far predictions are off over the measured latency, logarithmic, of networks left out of the calibration."""
    points: dict[str, list[tuple[float, float]]] = {}
    for family, predicted, measured in calibration["unseen"]:
        points.setdefault(str(family), []).append((1e3 * measured, 100 * (predicted / measured - 1)))
    figure = go.Figure()
    for number, (family, pairs) in enumerate(points.items()):
        colour = SHADES[number % len(SHADES)]
        figure.add_scatter(
            x=[measured for measured, _ in pairs],
            y=[off for _, off in pairs],
            mode="markers",
            name=family,
            marker={"symbol": _MARKS[number % len(_MARKS)], "color": colour, "size": 8, "line": {"color": colour}},
            hovertemplate="%{x:.3g} ms measured<br>predicted %{y:+.1f} %<extra></extra>",
        )
    figure.add_hline(y=0, line={"color": QUIET, "width": 1, "dash": "dot"})
    figure.update_xaxes(type="log", dtick="D2", title="measured as a whole, ms")
    figure.update_yaxes(title="prediction off by, %")
    return dressed(figure, 380)


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
