"""The one plotting module: figures of a search for the dashboard, for the report in the bundle and for notebooks.

Everything is read from the JSON documents of trials and outcomes. Series differ by shape as well as by colour, colours
are readable on light and on dark ground, and names that come from a user are escaped before they reach a hover text.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go

from hwmodels.base import METRICS
from search.amounts import TITLES, amount, scale, value
from search.plot_parts import (
    BROKEN,
    BUDGET,
    KEPT,
    PATTERNS,
    QUIET,
    SHADES,
    UNTOUCHED,
    Plane,
    choices_text,
    cost_axis,
    dressed,
    foot_of,
    quality_axis,
    room_of,
    score_of,
    values_of,
)

Document = Mapping[str, Any]


def front_figure(
    trials: Sequence[Document],
    limits: Sequence[Document],
    reference: Document | None,
    x: str = "latency_s",
    chosen: int | None = None,
    selected: int | None = None,
) -> go.Figure:
    """Cost against quality: every trial, the front among those within all limits, the limits and the untouched model.

    Args:
        trials: trial documents; those refused before they were scored stand at the foot of the figure.
        limits: `{"metric", "value", "text"}`; the ones on `x` are drawn, what lies beyond them shaded.
        reference: the untouched model (`{"costs", "quality"}`), None before it was measured.
        x: the Cost figure on the horizontal axis.
        chosen: number of the trial that was returned. selected: of the one to be ringed.

    A bar to the right of a point reaches to its upper confidence limit, which limits are held against; `customdata` is
    the trial's number, -1 for the untouched model.
    """
    untouched = [{"number": -1, **reference}] if reference else []
    known = [d for d in [*trials, *untouched] if value(d.get("costs") or {}, x) is not None]
    bounds = [float(limit["value"]) for limit in limits if METRICS.get(limit["metric"]) == x]
    worth, unit = scale(x, values_of(known, x) + bounds)
    foot = foot_of(known)
    plane = Plane(go.Figure(), x, worth, foot, foot - 0.6 * room_of(known))
    broken = [d for d in known if d.get("state") == "infeasible"]
    kept = [d for d in known if d.get("state") == "done" and score_of(d) is not None]
    plane.points("over a limit", [d for d in broken if score_of(d) is not None], "x-thin-open", BROKEN)
    plane.points("over a limit, not scored", [d for d in broken if score_of(d) is None], "line-ns-open", QUIET)
    plane.points("within all limits", kept, "circle", KEPT)
    plane.front(kept)
    plane.points("returned", [d for d in known if d["number"] == chosen], "star", KEPT, 16)
    plane.points("untouched", [d for d in known if d["number"] == -1], "diamond", UNTOUCHED, 13)
    plane.points("selected", [d for d in known if d["number"] == selected], "circle-open", UNTOUCHED, 20)
    for bound in bounds:
        plane.limit(bound, max(values_of(known, x), default=0.0))
    cost_axis(plane.figure, x, unit)
    quality_axis(plane.figure, known)
    return dressed(plane.figure, 440)


def history_figure(trials: Sequence[Document], reference: Document | None = None) -> go.Figure:
    """Quality by trial number, and the best one within all limits so far as a line."""
    scored = [t for t in sorted(trials, key=lambda t: int(t["number"])) if score_of(t) is not None]
    shown = [*([reference] if reference else []), *scored]
    foot = foot_of(shown)
    figure = go.Figure()
    for name, state, symbol, colour in (
        ("over a limit", "infeasible", "x-thin-open", BROKEN),
        ("within all limits", "done", "circle", KEPT),
    ):
        these = [t for t in scored if t["state"] == state]
        figure.add_scatter(
            x=[t["number"] for t in these],
            y=[max(score_of(t) or 0.0, foot) for t in these],
            mode="markers",
            name=name,
            marker={"symbol": symbol, "color": colour, "size": 9, "line": {"color": colour, "width": 2}},
            customdata=[score_of(t) for t in these],
            hovertemplate="trial %{x}: %{customdata:.2%}<extra></extra>",
        )
    kept = [t for t in scored if t["state"] == "done"]
    best = [max(score, foot) for score in accumulate((score_of(k) or 0.0 for k in kept), max)]
    numbers = [k["number"] for k in kept] + [t["number"] for t in scored[-1:] if kept]
    line = {"shape": "hv", "color": KEPT, "width": 2}
    figure.add_scatter(x=numbers, y=best + best[-1:], mode="lines", name="best so far", line=line, hoverinfo="skip")
    if reference and score_of(reference) is not None:
        figure.add_hline(y=score_of(reference), line={"color": UNTOUCHED, "dash": "dot"}, annotation_text="untouched")
    figure.update_xaxes(title="Trial", range=[-0.5, max([5, *(t["number"] for t in scored)]) + 0.5])
    quality_axis(figure, shown)
    return dressed(figure, 320)


def layers_figure(outcome: Document, figure_name: str = "latency_s") -> go.Figure:
    """One pair of bars per layer, untouched and compressed, with what was chosen there in the hover text."""
    layers = list(outcome.get("layers") or [])
    worth, unit = scale(figure_name, _layer_values(layers, "before", figure_name))
    chosen = [choices_text(layer.get("choices") or {}) for layer in layers]
    figure = go.Figure()
    for side, name, colour, pattern in (("after", "compressed", KEPT, ""), ("before", "untouched", UNTOUCHED, "/")):
        values = _layer_values(layers, side, figure_name)
        figure.add_bar(
            y=[html.escape(str(layer["name"])) for layer in layers],
            x=[v / worth for v in values],
            orientation="h",
            name=name,
            marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "replace", "size": 5}},
            customdata=[[c, amount(figure_name, v)] for c, v in zip(chosen, values, strict=True)],
            hovertemplate="<b>%{y}</b><br>" + name + ": %{customdata[1]}<br>%{customdata[0]}<extra></extra>",
        )
    cost_axis(figure, figure_name, unit)
    figure.update_yaxes(autorange="reversed", ticklabelstandoff=6)
    figure.update_layout(barmode="group", bargap=0.25, legend_traceorder="reversed")
    return dressed(figure, 130 + 44 * max(len(layers), 1))


def savings_figure(outcome: Document) -> go.Figure:
    """What is left of each cost, as a share of the untouched model, with the limits as marks."""
    before = outcome["untouched"]["costs"]
    after = (outcome.get("compressed") or {}).get("costs") or {}
    names = [n for n in TITLES if n != "weight_bytes" and value(before, n) and value(after, n) is not None]
    figure = go.Figure()
    figure.add_bar(
        y=[TITLES[n] for n in names],
        x=[(value(after, n) or 0.0) / (value(before, n) or 1.0) for n in names],
        orientation="h",
        name="compressed",
        marker={"color": KEPT},
        customdata=[[amount(n, value(before, n)), amount(n, value(after, n))] for n in names],
        hovertemplate="%{y}: %{customdata[0]} before, %{customdata[1]} after<extra></extra>",
        texttemplate="%{x:.1%}",
    )
    bounds = [(METRICS[b["metric"]], float(b["value"])) for b in outcome.get("limits") or []]
    bounds = [(n, v) for n, v in bounds if n in names]
    figure.add_scatter(
        y=[TITLES[n] for n, _ in bounds],
        x=[v / (value(before, n) or 1.0) for n, v in bounds],
        mode="markers",
        name="limit",
        marker={"symbol": "line-ns-open", "size": 26, "color": BUDGET, "line": {"color": BUDGET, "width": 3}},
        customdata=[amount(n, v) for n, v in bounds],
        hovertemplate="limit: %{customdata}<extra></extra>",
    )
    figure.update_xaxes(title="Share of the untouched model", tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", ticklabelstandoff=6)
    return dressed(figure, 130 + 40 * max(len(names), 1))


def energy_figure(outcome: Document) -> go.Figure:
    """Energy of the untouched and of the compressed network as stacked bars, one part per level."""
    levels = list(outcome["energy_levels"]["levels"])
    totals = [sum(float(level[side]) for level in levels) for side in ("before", "after")]
    worth, unit = scale("energy_j", totals)
    figure = go.Figure()
    for i, level in enumerate(levels):
        values = [float(level[side]) for side in ("before", "after")]
        pattern = {"shape": PATTERNS[i % len(PATTERNS)], "fillmode": "replace", "size": 5}
        shares = [v / (total or 1.0) for v, total in zip(values, totals, strict=True)]
        figure.add_bar(
            y=["untouched", "compressed"],
            x=[v / worth for v in values],
            orientation="h",
            name=html.escape(str(level["name"])),
            marker={"color": SHADES[i % len(SHADES)], "pattern": pattern},
            customdata=[[amount("energy_j", v), f"{s:.0%}"] for v, s in zip(values, shares, strict=True)],
            hovertemplate="%{fullData.name}: %{customdata[0]} (%{customdata[1]})<extra></extra>",
        )
    cost_axis(figure, "energy_j", unit)
    figure.update_yaxes(autorange="reversed", ticklabelstandoff=6)
    figure.update_layout(barmode="stack", bargap=0.3, legend_traceorder="normal")
    return dressed(figure, 240)


def embedded(figure: go.Figure) -> str:
    """The figure as JSON that may stand inside a script element of a page: no `<` in it, whatever it holds."""
    return str(figure.to_json()).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _layer_values(layers: Sequence[Document], side: str, figure: str) -> list[float]:
    return [float((layer.get(side) or {}).get(figure) or 0.0) for layer in layers]
