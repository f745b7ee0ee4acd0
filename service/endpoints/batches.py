"""/v1/batches"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from db import batches
from db.base import Json
from service.batches import create_batch
from service.dependencies import Here, Key, Paged, checked_id, listed
from service.idempotency import once
from service.schemas import BatchRequest
from service.views import batch_document, batch_entry

router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post("", status_code=202)
def submit_batch(here: Here, response: Response, body: BatchRequest, key: Key = None) -> Json:
    """Search every model on every device within every budget; what was learnt of a model and its data is shared."""
    with here.database.write() as session:
        batch_id = once(session, key, "batches", body.model_dump(mode="json"), lambda: create_batch(session, body))
    response.headers["Location"] = f"/v1/batches/{batch_id}"
    return get_batch(here, batch_id)


@router.get("")
def list_batches(here: Here, page: Paged, request: Request, response: Response) -> Json:
    """List batches, newest first."""
    with here.database.read() as session:
        rows = batches.page(session, page.limit, page.before("bat"))
        items = [batch_entry(session, row) for row in rows]
    return listed(page, rows, items, request, response)


@router.get("/{batch_id}")
def get_batch(here: Here, batch_id: str) -> Json:
    """Show a batch: one result per search, each beside the same of the batch before."""
    with here.database.read() as session:
        return batch_document(session, batches.get(session, checked_id(batch_id, "bat", "batch")))
