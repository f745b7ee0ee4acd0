"""Devices of the workspace in this folder, with the same methods as the client of a running service."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from db.base import Json
from service.coverage import coverage
from service.device_tables import csv_text, read_table, table_json, table_row
from service.device_views import device_document, device_documents
from service.hardware import device_here
from service.own_devices import add_device, import_table, remove_device
from service.schemas import storable
from service.workspace import Workspace


class LocalDevices:
    """See service/client_devices.py."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def devices(self) -> list[Json]:
        """All devices."""
        with self._workspace.database.read() as session:
            return device_documents(session)

    def device(self, device_id: str) -> Json:
        """One device with its tables."""
        with self._workspace.database.read() as session:
            return device_document(session, device_here(session, device_id))

    def add_device(self, document: Mapping[str, Any]) -> Json:
        """Adds an own device."""
        with self._workspace.database.write() as session:
            id, key = add_device(session, storable(dict(document)))
        return self.device(id) | {"agent_key": key or None}

    def remove_device(self, device_id: str) -> None:
        """Removes an own device."""
        with self._workspace.database.write() as session:
            device_here(session, device_id)
            remove_device(session, device_id)

    def table(self, device_id: str, key: str | None = None) -> Json:
        """A table, the newest by default."""
        with self._workspace.database.read() as session:
            device = device_here(session, device_id)
            return table_json(session, device, table_row(session, device, key))

    def table_csv(self, device_id: str, key: str | None = None) -> str:
        """The same as CSV."""
        return csv_text(self.table(device_id, key))

    def import_table(self, device_id: str, path: Path | str) -> Json:
        """Imports a table."""
        table = read_table(Path(path).read_bytes())
        with self._workspace.database.write() as session:
            device_here(session, device_id)
            return {"key": import_table(session, device_id, table), "rows": len(table.rows)}

    def coverage(self, device_id: str, model: str) -> Json:
        """What the table lacks for a model file."""
        with self._workspace.database.read() as session:
            device = device_here(session, device_id)
        return coverage(self._workspace, device, Path(model))
