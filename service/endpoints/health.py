"""/healthz"""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter

from db import searches
from db.base import Json
from db.searches import SearchState
from service.dependencies import Here
from service.views import counts_document

router = APIRouter(tags=["health"])


@router.get("/healthz")
def health(here: Here) -> Json:
    """Say that the service and its database answer, and how many searches are in which state."""
    with here.database.read() as session:
        counts = searches.count_by_state(session)
    return {"status": "ok", "version": version("fitwright"), "searches": counts_document(counts, list(SearchState))}
