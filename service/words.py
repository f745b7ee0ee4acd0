"""Times, states and progress in words: for the pages and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from search.amounts import amount, percent, quality_name, value

Document = Mapping[str, Any]

PHASES = {
    "queued": "Waiting for a worker",
    "preparing": "Getting to know the network",
    "searching": "Trying recipes",
    "finishing": "Fine-tuning and measuring the finalists",
    "cancelling": "Stopping",
}
"""Phases of a search; a step's own name is shown as it is."""

LIVE = frozenset({"queued", "preparing", "searching", "finishing", "cancelling"})
"""States in which something may still happen."""


@dataclass(frozen=True)
class Badge:
    """A state in a word; `kind` is how it looks (good, bad, warn, live or plain), never the only sign."""

    text: str
    kind: str = "plain"


@dataclass(frozen=True)
class Moment:
    """A time, for machines and relative to now."""

    iso: str
    text: str
    date: str


@dataclass(frozen=True)
class Progress:
    """How far it is: `share` in per cent (None: unknown), `text` what is being done, `more` how long it will take."""

    text: str
    more: str
    share: int | None


OUTCOMES = {
    "feasible": Badge("✓ fits", "good"),
    "infeasible": Badge("✗ can't be kept", "bad"),
    "undecided": Badge("? undecided", "warn"),
}
TRIALS = {
    "done": Badge("✓ kept", "good"),
    "infeasible": Badge("✗ over", "warn"),
    "failed": Badge("! failed", "bad"),
    "running": Badge("running", "live"),
    "queued": Badge("waiting"),
}


def search_badge(search: Document) -> Badge:
    """The state of a search, or its outcome where it has one."""
    state = search["state"]
    if state == "succeeded":
        return OUTCOMES.get(search.get("outcome") or "", Badge("ended"))
    if state == "failed":
        return Badge("! failed", "bad")
    return Badge(state, "live") if state in LIVE and state != "queued" else Badge(state)


def trial_badge(trial: Document) -> Badge:
    """Whether a trial keeps the limits."""
    return TRIALS.get(trial["state"], Badge(trial["state"]))


def progress(search: Document) -> Progress:
    """What a search is doing, how far that is, and how long it still takes."""
    state, known = search["state"], search.get("progress") or {}
    phase = known.get("phase") or state
    if state in ("queued", "cancelling"):
        phase = state
    done, total = int(known.get("done") or 0), int(known.get("total") or 0)
    text = phase_words(phase)
    if state in ("queued", "cancelling") or not total:
        return Progress(text, "", 0 if state == "queued" else None)
    eta = known.get("eta_s")
    more = f"{done} of {total}" + (f", about {duration(eta)} left" if eta else "")
    return Progress(text, more, min(100, round(100 * done / total)))


def phase_words(phase: str) -> str:
    """What is being done, as a heading."""
    return PHASES.get(phase, phase[:1].upper() + phase[1:])


def best(entry: Document | None) -> str:
    """The best trial so far in a few words; empty where there is none."""
    if not entry:
        return ""
    costs = entry.get("costs") or {}
    shown = [amount(f, value(costs, f)) for f in ("latency_s", "file_bytes") if value(costs, f) is not None]
    quality = entry.get("quality") or {}
    return f"{quality_name(quality).lower()} {percent(quality.get('score'))} at {', '.join(shown)}"


def duration(seconds: float) -> str:
    """A time span to one or two units: `40 s`, `3 min`, `1 h 20 min`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"


def moment(at: float | str | None, now: float) -> Moment | None:
    """A time (seconds since 1970 or ISO 8601) relative to `now`; None where it isn't known."""
    if at is None:
        return None
    instant = datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(at, UTC)
    away = now - instant.timestamp()
    text = "just now" if abs(away) < 5 else f"{duration(away)} ago" if away > 0 else f"in {duration(-away)}"
    instant = instant.astimezone(UTC)
    return Moment(instant.isoformat(timespec="seconds"), text, f"{instant:%Y-%m-%d %H:%M:%S} UTC")
