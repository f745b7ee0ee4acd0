"""What there is to choose from, as documents: devices with what was measured of them, built-in data sets."""

from __future__ import annotations

import inspect
from dataclasses import asdict

from sqlalchemy.orm import Session

from db import measurements
from db.base import Json
from hwmodels.catalogue import DEVICES
from search.data import BUILTIN


def device_documents(session: Session) -> list[Json]:
    """Every device with its datasheet, and how much of it was measured on which machine."""
    measured: dict[str, list[Json]] = {}
    for device, key, rows in measurements.counts(session):
        measured.setdefault(device, []).append({"key": key, "rows": rows})
    return [
        asdict(device) | {"precisions": list(device.precisions), "measured": measured.get(device.id, [])}
        for device in DEVICES.values()
    ]


def builtin_documents() -> list[Json]:
    """The data sets that need no upload."""
    return [
        {"id": name, "name": name, "builtin": True, "summary": _first_paragraph(inspect.getdoc(load))}
        for name, load in BUILTIN.items()
    ]


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
