"""The pages that list things: searches, batches, schedules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from db import batches, schedules, searches
from db.base import Json
from db.searches import SearchRow
from service.dashboard.cards import SearchCard, search_card, standing
from service.views import batch_document, batch_entry, runs_document, schedule_document, search_document, search_entry
from service.words import LIVE, moment

PAGE = 40
RUNS = 6


def home_context(session: Session, before: str | None, now: float) -> dict[str, Any]:
    """What home.html needs: everything that runs, and a page of what has ended."""
    live = [row for state in LIVE for row in searches.page(session, PAGE, state=state)] if before is None else []
    ended = [row for row in searches.page(session, PAGE, before) if row.state not in LIVE]
    cards = [_ended_card(session, row, now) for row in ended]
    rows = searches.page(session, PAGE, before)
    return {
        "running": [search_card(search_document(session, row), now) for row in sorted(live, key=lambda r: r.id)],
        "finished": [card for card, row in zip(cards, ended, strict=True) if row.state == "succeeded"],
        "failed": [card for card, row in zip(cards, ended, strict=True) if row.state != "succeeded"],
        "older": rows[-1].id if len(rows) == PAGE else None,
        "counts": _counts(searches.count_by_state(session)),
    }


def batch_context(session: Session, batch_id: str, now: float) -> dict[str, Any]:
    """What batch.html needs. Raises NotFound."""
    row = batches.get(session, batch_id)
    document = batch_document(session, row)
    rows = []
    for entry in document["results"]:
        earlier = entry["previous"]
        rows.append((_card(session, entry["search"]["id"], now), earlier and _card(session, earlier["id"], now)))
    live = any(card.live for card, _ in rows)
    about = f"{len(rows)} searches, {document['over']} of them over"
    shown = {"id": row.id, "title": row.name or "Batch", "about": about, "rows": rows, "live": live}
    return {"batch": shown | {"previous": document["previous"]}}


def schedules_context(session: Session, now: float) -> dict[str, Any]:
    """What schedules.html needs: every schedule with its latest runs, and the latest batches."""
    shown = []
    for row in schedules.all_schedules(session):
        document = schedule_document(row)
        runs = [_run(run, now) for run in runs_document(session, row, RUNS)]
        shown.append(
            {
                "id": row.id,
                "title": row.name or "Schedule",
                "cron": row.cron,
                "zone": row.zone,
                "next": moment(document["next_run_at"], now),
                "runs": runs,
            }
        )
    latest = [batch_entry(session, row) for row in batches.page(session, PAGE)]
    return {
        "schedules": shown,
        "batches": [entry | {"when": moment(entry["created_at"], now)} for entry in latest],
    }


def _run(run: Json, now: float) -> Json:
    results: Sequence[Json] = run["results"]
    over = sum(entry["search"]["state"] not in LIVE for entry in results)
    return {
        "due": moment(run["due_at"], now),
        "batch": run["batch"],
        "title": "open",
        "error": run["error"],
        "counted": f"{over} of {len(results)} over",
        "results": [standing(entry) for entry in results],
    }


def _card(session: Session, search_id: str, now: float) -> SearchCard:
    return search_card(search_document(session, searches.get(session, search_id)), now)


def _ended_card(session: Session, row: SearchRow, now: float) -> SearchCard:
    return search_card(search_entry(session, row) | {"result": row.result}, now)


def _counts(counts: dict[str, int]) -> str:
    """`1 running, 4 succeeded, 1 failed`"""
    words = {"succeeded": 0, "failed": 0, "cancelled": 0} | counts
    running = sum(count for state, count in counts.items() if state in LIVE)
    parts = [f"{running} running"] + [f"{words[s]} {s}" for s in ("succeeded", "failed", "cancelled") if words[s]]
    return ", ".join(parts)
