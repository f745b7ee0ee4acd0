"""What the figures of search/plots.py are put together from: colours, axes, and the plane of cost against quality."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from search.amounts import amount, percent, quality_name, title, value

Document = Mapping[str, Any]

KEPT, BROKEN, UNTOUCHED, BUDGET, QUIET = "#14917f", "#c2703d", "#7d6fd0", "#d1495b", "#808790"
"""Colours of at least 3:1 against both white and #15181c."""

SHADES = (UNTOUCHED, KEPT, BROKEN, BUDGET, QUIET)
PATTERNS = ("", "/", ".", "x", "", "-", "+")
"""Parts of a stack take colours and patterns in turn, so that no two of a device's levels look alike."""

DEPTH = 0.25
"""How far below the best score an axis reaches; what lies lower stands at its foot, as a triangle."""


@dataclass(frozen=True)
class Plane:
    """A figure of cost `x` (in units of `worth`) against quality. What lies lower stands at `foot`, what has no quality
    at `ground`, below all that have one."""

    figure: go.Figure
    x: str
    worth: float
    foot: float
    ground: float

    def points(self, name: str, documents: Sequence[Document], symbol: str, colour: str, size: int = 9) -> None:
        """One series; left out where it is empty."""
        if not documents:
            return
        documents = sorted(documents, key=self._is_lower)  # the legend shows the mark of the first
        values = [v / self.worth for v in values_of(documents, self.x)]
        errors = [float(d["costs"][self.x].get("error", 0.0)) for d in documents]
        marks = ["triangle-down-open" if self._is_lower(d) else symbol for d in documents]
        self.figure.add_scatter(
            x=values,
            y=[self.ground if (s := score_of(d)) is None else max(s, self.foot) for d in documents],
            mode="markers",
            name=name,
            marker={"symbol": marks, "color": colour, "size": size, "line": {"color": colour, "width": 2}},
            error_x={
                "symmetric": False,
                "array": [v * e for v, e in zip(values, errors, strict=True)],
                "arrayminus": [0.0] * len(values),
                "color": colour,
                "thickness": 1,
                "width": 0,
            },
            customdata=[d["number"] for d in documents],
            text=[_hover(d, self.x) for d in documents],
            hovertemplate="%{text}<extra></extra>",
        )

    def front(self, kept: Sequence[Document]) -> None:
        """The best quality that can be had for at most so much cost, as a stair."""
        steps: list[tuple[float, float]] = []
        for cost, score in sorted((v, -(score_of(d) or 0.0)) for v, d in zip(values_of(kept, self.x), kept)):
            if not steps or -score > steps[-1][1]:
                steps.append((cost / self.worth, -score))
        if len(steps) > 1:
            x, y = zip(*steps)
            line = {"shape": "hv", "color": KEPT, "width": 2}
            y = tuple(max(score, self.foot) for score in y)
            self.figure.add_scatter(x=x, y=y, mode="lines", name="front", line=line, hoverinfo="skip")

    def limit(self, bound: float, largest: float) -> None:
        """A limit as a line with its value, and all that lies beyond it shaded."""
        start, end = bound / self.worth, 1.08 * max(1.5 * bound, largest) / self.worth
        label = {"text": f"limit {amount(self.x, bound)}", "font": {"color": BUDGET}}
        line = {"color": BUDGET, "dash": "dash", "width": 2}
        self.figure.add_vrect(x0=start, x1=end, fillcolor=BUDGET, opacity=0.08, line_width=0, layer="below")
        self.figure.add_vline(x=start, line=line, annotation=label | {"yanchor": "bottom", "xanchor": "center"})
        self.figure.update_xaxes(range=[0, end])

    def _is_lower(self, document: Document) -> bool:
        score = score_of(document)
        return score is not None and score < self.foot


def dressed(figure: go.Figure, height: int) -> go.Figure:
    """What all figures share: no ground of their own, quiet lines, a legend above, the width of their place."""
    figure.update_layout(
        template="none",
        height=height,
        autosize=True,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13, "color": QUIET},
        margin={"l": 64, "r": 16, "t": 56, "b": 56},
        legend={"orientation": "h", "x": 0, "y": 1.06, "yanchor": "bottom"},
        hoverlabel={"align": "left"},
        showlegend=True,
    )
    axis = {"gridcolor": "rgba(128,135,144,0.25)", "zeroline": False, "automargin": True, "linecolor": QUIET}
    figure.update_xaxes(axis)
    return figure.update_yaxes(axis)


def score_of(document: Document) -> float | None:
    """The score of a trial or reference, None where it has none."""
    score = (document.get("quality") or {}).get("score")
    return None if score is None else float(score)


def foot_of(documents: Sequence[Document]) -> float:
    """The lowest score that is drawn at its own height."""
    scores = [s for s in map(score_of, documents) if s is not None]
    return max(min(scores), max(scores) - DEPTH) if scores else 0.0


def room_of(documents: Sequence[Document]) -> float:
    """How far the axis goes on beyond the scores that are drawn at their own height."""
    best = max((s for s in map(score_of, documents) if s is not None), default=0.0)
    return max(0.005, 0.1 * (best - foot_of(documents)))


def quality_axis(figure: go.Figure, documents: Sequence[Document]) -> None:
    """An axis that holds the scores above the foot with some room, and ends little above 100 %."""
    scores = [s for s in map(score_of, documents) if s is not None]
    name = next((quality_name(d["quality"]) for d in documents if score_of(d) is not None), quality_name({}))
    figure.update_yaxes(title=name, tickformat=".1%")
    if scores:
        best, foot, room = max(scores), foot_of(documents), room_of(documents)
        figure.update_yaxes(range=[foot - room, min(best + room, max(1.0 + room / 4, best))])


def cost_axis(figure: go.Figure, name: str, unit: str) -> None:
    """The horizontal axis of a cost."""
    figure.update_xaxes(title=f"{title(name)} ({unit})" if unit else title(name), rangemode="tozero")


def values_of(documents: Sequence[Document], figure: str) -> list[float]:
    """One cost of each document."""
    return [value(d["costs"], figure) or 0.0 for d in documents]


def choices_text(choices: Document) -> str:
    """A layer's choices for a hover text."""
    text = [f"{html.escape(str(method))}: {html.escape(str(choice))}" for method, choice in choices.items()]
    return "<br>".join(text) or "left as it is"


def _hover(document: Document, x: str) -> str:
    number = "untouched" if document["number"] < 0 else f"trial {document['number']}"
    origin = f" ({html.escape(str(document['origin']))})" if document.get("origin") else ""
    quality = "not scored" if score_of(document) is None else percent(score_of(document))
    return f"<b>{number}</b>{origin}<br>{title(x)} {amount(x, value(document['costs'], x))}<br>{quality}"
