"""What the pages show of a search, a trial, a batch and a schedule: texts, worked out from the API's documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.amounts import NONE, TITLES, amount, percent, quality_name, ratio, source_words, value
from search.limits import format_figure
from search.problem import TrialState
from search.summary import points, recipe_lines
from service.words import (
    LIVE,
    Badge,
    Moment,
    Progress,
    best,
    moment,
    progress,
    search_badge,
    trial_badge,
)

Document = Mapping[str, Any]

COLUMNS = ("latency_s", "file_bytes", "energy_j", "peak_bytes", "macs")
"""Costs that the table of trials shows, where the device has them."""


@dataclass(frozen=True)
class SearchCard:
    """A search in a list and at the head of its own page."""

    id: str
    title: str
    model: str
    asked: str
    badge: Badge
    progress: Progress
    live: bool
    cancellable: bool
    reason: str
    best: str
    counted: str
    ended: Moment | None
    quality: str
    quality_change: str
    latency: str
    latency_change: str
    size: str
    size_change: str


@dataclass(frozen=True)
class TrialCard:
    """A trial in the table, and in the panel beside the figure."""

    number: int
    origin: str
    badge: Badge
    quality: str
    costs: tuple[str, ...]
    error: str
    facts: tuple[tuple[str, str], ...]
    recipe: tuple[tuple[str, str, str], ...]


def search_card(search: Document, now: float) -> SearchCard:
    """From the document of GET /v1/searches/{id}, or an entry of the list."""
    result = search.get("result") or {}
    before, after = result.get("untouched") or {}, result.get("compressed") or {}
    old, new = before.get("quality") or {}, after.get("quality") or {}
    state = search["state"]
    return SearchCard(
        id=search["id"],
        title=title(search),
        model=search["model"]["id"],
        asked=asked(search),
        badge=search_badge(search),
        progress=progress(search),
        live=state in LIVE,
        cancellable=state in LIVE and state != "cancelling",
        reason=search.get("state_reason") or "",
        best=best(search.get("best")),
        counted=counted(search.get("trials") or {}),
        ended=moment(search.get("finished_at"), now),
        quality=percent(new.get("score")),
        quality_change=points(new.get("score"), old.get("score")) if new else "",
        **_costs(before.get("costs") or {}, after.get("costs") or {}),
    )


def title(search: Document) -> str:
    """The name that the user gave, or model and device."""
    return search.get("name") or f"{search['model']['name'] or 'model'} on {search['device']}"


def asked(search: Document) -> str:
    """Model, data, device and limits in one line."""
    limits = ", ".join(f"{metric} ≤ {text}" for metric, text in (search.get("budget") or {}).items())
    parts = (search["model"]["name"], search["dataset"]["name"], search["device"], limits)
    return " · ".join(part for part in parts if part)


def counted(trials: Mapping[str, int]) -> str:
    """How many trials became what."""
    words = {
        TrialState.DONE: "within all limits",
        TrialState.INFEASIBLE: "over a limit",
        TrialState.FAILED: "failed",
        TrialState.RUNNING: "running",
        TrialState.QUEUED: "waiting",
    }
    found = [f"{trials[state]} {text}" for state, text in words.items() if trials.get(state)]
    return ", ".join(found) or "none yet"


def columns_of(trials: Sequence[Document]) -> tuple[str, ...]:
    """The costs that some trial has."""
    return tuple(name for name in COLUMNS if any(name in (t.get("costs") or {}) for t in trials))


def trial_card(trial: Document, columns: Sequence[str], reference: Document | None) -> TrialCard:
    """From a trial document; `reference` is the untouched model."""
    costs, quality = trial.get("costs") or {}, trial.get("quality") or {}
    untouched = (reference or {}).get("costs") or {}
    facts = [(quality_name(quality), percent(quality.get("score")))] if quality else []
    facts += [(TITLES[name], _compared(name, costs, untouched)) for name in TITLES if name in costs]
    return TrialCard(
        number=trial["number"],
        origin=trial.get("origin") or NONE,
        badge=trial_badge(trial),
        quality=percent(quality.get("score")),
        costs=tuple(amount(name, value(costs, name)) for name in columns),
        error=trial.get("error") or "",
        facts=tuple(facts),
        recipe=tuple(recipe_lines(trial.get("recipe"))),
    )


def _compared(name: str, costs: Document, untouched: Document) -> str:
    """`84 µs (0.40×, looked up, ±5 %)`"""
    share = ratio(value(costs, name), value(untouched, name))
    notes = [share] if share != NONE else []
    return f"{amount(name, value(costs, name))} ({', '.join([*notes, source_words(costs[name])])})"


def standing(entry: Document) -> str:
    """A search of a batch or a scheduled run in one line."""
    budget = ", ".join(f"{metric} ≤ {text}" for metric, text in entry["limits"].items())
    return f"{entry['device']}, {budget}: {stood(entry['search'])}" + (
        f" (before: {stood(entry['previous'])})" if entry.get("previous") else ""
    )


def stood(found: Document) -> str:
    """How a search of a batch ended: quality, latency and size, or its state."""
    if found.get("score") is None:
        return str(found.get("outcome") or found["state"])
    costs = found.get("costs") or {}
    shown = [format_figure(f, costs[f]) for f in ("latency_s", "file_bytes") if f in costs]
    return ", ".join([percent(found["score"]), *shown])


def _costs(before: Document, after: Document) -> dict[str, str]:
    """Latency and size of the compressed model, and what share of the untouched one that is."""
    texts: dict[str, str] = {}
    for word, figure in (("latency", "latency_s"), ("size", "file_bytes")):
        texts[word] = amount(figure, value(after, figure))
        change = ratio(value(after, figure), value(before, figure))
        texts[f"{word}_change"] = change if change != NONE else ""
    return texts
