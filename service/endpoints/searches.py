"""/v1/searches"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from db import searches, trials
from db.base import Json
from db.searches import SearchState
from service.dependencies import MAX_PAGE, Here, Key, Paged, checked_id, listed
from service.idempotency import once
from service.lifecycle import cancel
from service.records import trial_document
from service.schemas import SearchRequest
from service.searches import create_search
from service.views import front_document, search_document, search_entry

router = APIRouter(prefix="/v1/searches", tags=["searches"])


@router.post("", status_code=202)
def submit_search(here: Here, response: Response, body: SearchRequest, key: Key = None) -> Json:
    """Ask for a model to be fitted to a device and a budget; poll the Location, or follow its events."""
    with here.database.write() as session:
        document = body.model_dump(mode="json")
        search_id = once(session, key, "searches", document, lambda: create_search(session, body))
    response.headers["Location"] = f"/v1/searches/{search_id}"
    return get_search(here, search_id)


@router.get("")
def list_searches(
    here: Here, page: Paged, request: Request, response: Response, state: Annotated[SearchState | None, Query()] = None
) -> Json:
    """List searches, newest first; of one state only, if given."""
    with here.database.read() as session:
        rows = searches.page(session, page.limit, page.before("srh"), state)
        items = [search_entry(session, row) for row in rows]
    return listed(page, rows, items, request, response)


@router.get("/{search_id}")
def get_search(here: Here, search_id: str) -> Json:
    """Show a search: state, progress, the untouched model, the best so far, and at the end the result."""
    with here.database.read() as session:
        return search_document(session, searches.get(session, checked_id(search_id, "srh", "search")))


@router.post("/{search_id}:cancel", status_code=202)
def cancel_search(here: Here, search_id: str) -> Json:
    """Stop a search; it is `cancelled` within seconds. Cancelling twice is fine."""
    with here.database.write() as session:
        cancel(session, checked_id(search_id, "srh", "search"))
    return get_search(here, search_id)


@router.get("/{search_id}/trials")
def list_trials(
    here: Here,
    search_id: str,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = MAX_PAGE,
    after: Annotated[int, Query(ge=-1, lt=2**31, description="Trials with higher numbers than this.")] = -1,
) -> Json:
    """List trials in order of number; `next` is the `after` of the next page."""
    with here.database.read() as session:
        searches.get(session, checked_id(search_id, "srh", "search"))
        rows = trials.page(session, search_id, limit, after)
    following = rows[-1].number if len(rows) == limit else None
    return {"items": [trial_document(row) for row in rows], "next": following}


@router.get("/{search_id}/trials/{number}")
def get_trial(here: Here, search_id: str, number: int) -> Json:
    """Show one trial with its recipe."""
    with here.database.read() as session:
        bounded = min(max(number, -1), 2**31)
        return trial_document(trials.get(session, checked_id(search_id, "srh", "search"), bounded))


@router.get("/{search_id}/front")
def get_front(here: Here, search_id: str) -> Json:
    """Show the trials within the limits that no other one beats in score and limited costs."""
    with here.database.read() as session:
        return front_document(session, searches.get(session, checked_id(search_id, "srh", "search")))
