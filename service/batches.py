"""Batches as users know them: every model on every device within every budget, results beside the last run's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from sqlalchemy.orm import Session

from db import batches, searches
from db.base import Json, clock
from db.batches import BatchRow
from db.ids import new_id
from db.searches import SearchRow
from service.checks import check_batch
from service.records import fingerprint
from service.schemas import BatchRequest, Effort, SearchRequest
from service.searches import insert_search

COLUMNS = ("model", "dataset", "device", "limits")
"""What tells the rows of a batch apart."""


def create_batch(session: Session, request: BatchRequest) -> str:
    """Makes all searches of a batch in one transaction; returns the batch's id. Raises InvalidRequest."""
    check_batch(session, request)
    document = request.model_dump(mode="json")
    row = BatchRow(
        id=new_id("bat"),
        name=request.name,
        request=document,
        template=fingerprint(document),
        created_at=clock(session),
    )
    session.add(row)
    session.flush()
    for search in searches_of(request):
        insert_search(session, search, row.id)
    return row.id


def searches_of(request: BatchRequest) -> Iterator[SearchRequest]:
    """One search per combination, in the order given."""
    effort = {name: getattr(request, name) for name in Effort.model_fields}
    for model, dataset, device, limits in product(request.models, request.datasets, request.devices, request.budgets):
        yield SearchRequest(model=model, dataset=dataset, device=device, limits=limits, **effort)


def table(session: Session, row: BatchRow) -> list[Json]:
    """One entry per search: what was asked, how it stands, and how the same stood the last time."""
    before = batches.previous(session, row)
    earlier = {_cell(s): s for s in searches.of_batch(session, before.id)} if before else {}
    return [_entry(search, earlier.get(_cell(search))) for search in searches.of_batch(session, row.id)]


def standing(row: SearchRow) -> Json:
    """How a search stands, in one entry of a table."""
    compressed = (row.result or {}).get("compressed") or {}
    costs, quality = compressed.get("costs") or {}, compressed.get("quality") or {}
    return {
        "id": row.id,
        "state": row.state,
        "state_reason": row.state_reason,
        "outcome": row.outcome,
        "progress": row.progress,
        "score": quality.get("score"),
        "costs": {name: figure["value"] for name, figure in costs.items()},
    }


def summary(rows: Sequence[SearchRow]) -> Json:
    """How many searches of a batch are in which state and came to which outcome."""
    counted: Json = {"searches": len(rows), "over": sum(row.over for row in rows), "states": {}, "outcomes": {}}
    for row in rows:
        counted["states"][row.state] = counted["states"].get(row.state, 0) + 1
        if row.outcome:
            counted["outcomes"][row.outcome] = counted["outcomes"].get(row.outcome, 0) + 1
    return counted


def _entry(row: SearchRow, before: SearchRow | None) -> Json:
    asked = {name: row.request[name] for name in COLUMNS}
    return asked | {"search": standing(row), "previous": standing(before) if before else None}


def _cell(row: SearchRow) -> str:
    return fingerprint([row.request[name] for name in COLUMNS])
