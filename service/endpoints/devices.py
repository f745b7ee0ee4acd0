"""/v1/devices: the catalogue's and own ones, and their tables."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from db import models
from db.base import Json
from service.coverage import coverage
from service.dependencies import Here, Key, checked_id
from service.device_tables import csv_text, read_table, table_json, table_row
from service.device_views import device_document, device_documents
from service.errors import FieldError, InvalidRequest
from service.hardware import device_here
from service.idempotency import once
from service.own_devices import add_device, import_table, remove_device
from service.schemas import storable

router = APIRouter(prefix="/v1/devices", tags=["devices"])

CSV, MAX_TABLE = "text/csv", 64 * 2**20
TABLE_BODY: Json = {
    "requestBody": {
        "required": True,
        "content": {CSV: {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}},
    }
}
Datasheet = Annotated[
    dict[str, JsonValue],
    Body(examples=[{"id": "my-board", "kind": "measured", "title": "A board of mine", "profiler": "onnxruntime"}]),
]
TableKey = Annotated[str | None, Query(max_length=1000, description="A table's `key`; by default the newest.")]


async def _body(request: Request) -> bytes:
    """The body as it came. Raises InvalidRequest for one that no table is as large as."""
    found = await request.body()
    if len(found) > MAX_TABLE:
        raise InvalidRequest([FieldError("#", f"a table has at most {MAX_TABLE:,} bytes; this one has {len(found):,}")])
    return found


RawBody = Annotated[bytes, Depends(_body)]


@router.get("")
def list_devices(here: Here) -> Json:
    """List devices with their datasheets, where they come from, and what was measured of them."""
    with here.database.read() as session:
        return {"items": device_documents(session)}


@router.post("", status_code=201)
def add_own_device(here: Here, response: Response, body: Datasheet, key: Key = None) -> Json:
    """Add a device: a datasheet (`analytical`), a runtime that agents time (`measured`), a table alone (`imported`).

    For a measured one, `agent_key` in the reply is what its agents show; it is told this once.
    """
    made: list[str] = []

    def make() -> str:
        id, secret = add_device(session, storable(body))
        made.append(secret)
        return id

    with here.database.write() as session:
        id = once(session, key, "devices", body, make)
    response.headers["Location"] = f"/v1/devices/{id}"
    return get_device(here, id) | {"agent_key": (made and made[0]) or None}


@router.get("/{device_id}")
def get_device(here: Here, device_id: str) -> Json:
    """Show a device and what its tables hold; settings may stand in its id (`local-onnxruntime@batch=8`)."""
    with here.database.read() as session:
        return device_document(session, device_here(session, device_id))


@router.delete("/{device_id}", status_code=204)
def delete_device(here: Here, device_id: str) -> Response:
    """Remove an own device with its tables; 409 while a search or a profile job uses it."""
    with here.database.write() as session:
        device_here(session, device_id)
        remove_device(session, device_id)
    return Response(status_code=204)


@router.get("/{device_id}/table", responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}})
def get_table(
    here: Here,
    device_id: str,
    table: TableKey = None,
    format: Annotated[Literal["json", "csv"] | None, Query()] = None,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Download a table as JSON, or as CSV by `format` or Accept: header, one row per operator, calibration."""
    with here.database.read() as session:
        device = device_here(session, device_id)
        document = table_json(session, device, table_row(session, device, table))
    if format == "csv" or (format is None and CSV in accept):
        return Response(csv_text(document), media_type=CSV)
    return JSONResponse(document)


@router.put("/{device_id}/table", status_code=201, openapi_extra=TABLE_BODY)
def put_table(here: Here, response: Response, device_id: str, body: RawBody) -> Json:
    """Import a table that was measured elsewhere, CSV or JSON, as a whole or not at all; faults are named by line.

    A table for the same runtime version and machine as one that is there becomes its next generation.
    """
    with here.database.read() as session:
        device_here(session, device_id)
    table = read_table(body)
    with here.database.write() as session:
        made = import_table(session, device_id, table)
    response.headers["Location"] = f"/v1/devices/{device_id}/table"
    return {"key": made, "rows": len(table.rows)}


@router.get("/{device_id}/coverage")
def get_coverage(
    here: Here, device_id: str, model: Annotated[str, Query(max_length=100, description="The id of a model.")]
) -> Json:
    """Show which operators of a model a device's table lacks, by name: a search measures those first."""
    with here.database.read() as session:
        device = device_here(session, device_id)
        row = models.get(session, checked_id(model, "mdl", "model"))
    return coverage(here, device, here.blobs.path(row.sha256, ".fwm")) | {"model": row.id}
