"""Tables as files: read from CSV or JSON with every fault named, written as either."""

from __future__ import annotations

import json

from sqlalchemy.orm import Session

from db import measurements
from db.base import Json
from db.measurements import TableRow
from hwmodels.device import Device
from hwmodels.table import BadTable, Table, TableHeader
from hwmodels.table_text import read_csv, table_to_csv
from service.device_views import table_entry
from service.errors import FieldError, InvalidRequest, NotHere
from service.own_devices import table_faults
from service.views import moment


def table_row(session: Session, device: Device, key: str | None = None) -> TableRow:
    """A table of a device by its key, or the newest. Raises NotHere."""
    found = measurements.of_device(session, device.id)
    for row in found:
        if key in (None, row.key):
            return row
    there = f"; there are {', '.join(repr(row.key) for row in found[:3])}" if found else ": nothing was measured yet"
    raise NotHere(f"{device.id} has no {'table' if key is None else f'table {key[:200]!r}'}{there}")


def table_json(session: Session, device: Device, row: TableRow) -> Json:
    """A whole table: `header`, `rows`, and beside them what it is and its calibration."""
    rows = measurements.of_table(session, row.key)
    table = Table.from_rows(_header(device, row), rows)
    about = table_entry(row, len(rows)) | {"calibration": row.calibration}
    return table.to_json() | {"about": about}


def csv_text(document: Json) -> str:
    """The same as CSV."""
    return table_to_csv(Table.from_json({"header": _plain(document["header"]), "rows": document["rows"]}))


def read_table(body: bytes) -> Table:
    """A table from the content of a file, CSV or JSON. Raises InvalidRequest, naming every fault by its line."""
    try:
        text = body.decode("utf-8-sig")
        if not text.lstrip().startswith("{"):
            return read_csv(text)
        document = json.loads(text)
        document.pop("about", None)
        return Table.from_json(document)
    except BadTable as error:
        raise InvalidRequest(table_faults(error)) from error
    except (ValueError, RecursionError) as error:
        raise InvalidRequest([FieldError("#", f"this is neither CSV nor JSON: {str(error)[:200]}")]) from error


def _header(device: Device, row: TableRow) -> TableHeader:
    created = moment(row.created_at) or ""
    return TableHeader(device.id, row.runtime, row.version, row.machine, device.threads, device.batch, created)


def _plain(header: Json) -> Json:
    return {name: value for name, value in header.items() if name != "noise_floor"}
