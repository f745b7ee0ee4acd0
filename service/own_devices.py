"""Own devices as users know them: added from a document, filled from a file, removed."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db import agents, measurements, own_devices, profile_jobs
from db.base import Json, clock
from db.measurements import TableId
from db.searches import TERMINAL, SearchRow
from hwmodels.catalogue import DEVICES
from hwmodels.datasheet import IMPORTED, device_from_json
from hwmodels.datasheet_fields import BadDatasheet
from hwmodels.device import Device
from hwmodels.settings import with_settings
from hwmodels.table import BadTable, Table
from service.errors import Conflict, FieldError, InvalidRequest
from service.hardware import find_device

MAX_ROWS = 100_000


def add_device(session: Session, document: Json) -> tuple[str, str]:
    """Keeps a device; returns its id, and for one that agents serve the key that they show, which is kept nowhere.

    Raises InvalidRequest, naming the field, and Conflict where the id is taken.
    """
    try:
        device = device_from_json(document)
    except BadDatasheet as error:
        raise InvalidRequest([_fault(name, text) for name, text in error.fields.items()]) from error
    id = device.id
    if id in DEVICES or own_devices.find(session, id) is not None:
        raise _taken(id)
    key = f"fwa_{secrets.token_urlsafe(32)}" if device.kind == "measured" else ""
    try:
        own_devices.create(session, document, hashlib.sha256(key.encode()).hexdigest() if key else "")
    except IntegrityError as error:  # two at the same moment
        raise _taken(id) from error
    return id, key


def remove_device(session: Session, id: str) -> None:
    """Removes an own device with its tables. Raises Conflict while it is used, and NotFound."""
    if id in DEVICES:
        raise Conflict(f"{id} belongs to the catalogue and can't be removed")
    own_devices.get(session, id)
    query = select(SearchRow.id, SearchRow.request).where(SearchRow.state.not_in(TERMINAL))
    users = [s for s, request in session.execute(query) if str(request["device"]).partition("@")[0] == id]
    users += [job.id for job in profile_jobs.open_jobs(session) if job.device.partition("@")[0] == id]
    if users:
        raise Conflict(f"{id} is in use by {', '.join(users[:3])}; wait for it, or cancel it first")
    measurements.remove(session, id)
    agents.remove(session, id)
    own_devices.remove(session, id)


def import_table(session: Session, id: str, table: Table) -> str:
    """Keeps a table that was measured elsewhere as a whole, or nothing of it; returns its key.

    One for what the device has a table of already is its next generation. Raises InvalidRequest, naming what in the
    header doesn't fit the device; UnknownDevice and BadSetting.
    """
    device = _fitting(find_device(session, id.partition("@")[0]), id, table)
    header = table.header
    at = TableId(device.id, header.runtime, header.version, header.machine)
    same = {"runtime": at.runtime, "version": at.version, "machine": at.machine}
    newest = measurements.newest(session, device.id, **same)
    at = newest.table.next() if newest is not None else at
    now = clock(session)
    measurements.begin(session, at, now)
    measurements.add_all(session, at, [dict(row) for row in table.to_json()["rows"]], now)
    return at.key


def _fitting(plain: Device, id: str, table: Table) -> Device:
    """The device with the settings of the table's header."""
    header = table.header
    if not plain.profiler:
        raise _header(f"{plain.id} is {plain.kind}: it has a datasheet and no table")
    if plain.kind != IMPORTED and header.runtime != plain.profiler:
        raise _header(f"the table is of {header.runtime!r}, and {plain.id} is timed by {plain.profiler!r}")
    for name, text in (("version", header.version), ("machine", header.machine)):
        if not text.strip() or measurements.BETWEEN in text or "\0" in text or len(text) > 300:
            raise _header(f"{name} is {text[:100]!r}; it is a short text, and says what the rows hold for")
    if len(table.rows) > MAX_ROWS:
        raise _header(f"the table has {len(table.rows):,} rows; at most {MAX_ROWS:,} are taken")
    found = with_settings(plain, {"batch": header.batch, "threads": header.threads})
    if "@" in id and found.id != id:
        raise _header(f"the table is for {found.id}, and was sent for {id}")
    return found


def _header(fault: str) -> InvalidRequest:
    return InvalidRequest([FieldError("#/header", fault)])


def _taken(id: str) -> Conflict:
    return Conflict(f"there is a device {id!r} already; remove it first, or take another id")


def _fault(field: str, text: str) -> FieldError:
    return FieldError(_pointer(field), f"{field}: {text}" if field else text)


def _pointer(field: str) -> str:
    """`memories.0.bytes` as a JSON pointer."""
    return "#" + "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in field.split(".") if part)


def table_faults(error: BadTable) -> list[FieldError]:
    """What is wrong with an imported table: one entry per line that the error names."""
    lines: Any = getattr(error, "faults", None)
    if isinstance(lines, list | tuple) and lines:
        return [FieldError("#", str(line)) for line in lines]
    return [FieldError("#", str(error))]
