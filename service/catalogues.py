"""What there is to choose from, as documents: devices, methods, strategies, built-in data sets."""

from __future__ import annotations

import inspect
from dataclasses import asdict

from sqlalchemy.orm import Session

from db import measurements
from db.base import Json
from hwmodels.catalogue import DEVICES
from methods.catalogue import METHODS
from search.catalogue import STRATEGIES
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


def method_documents() -> list[Json]:
    """Every compression method in the order in which they are applied."""
    return [{"name": name, "summary": _about(method)} for name, method in METHODS.items()]


def strategy_documents() -> list[Json]:
    """Every search strategy."""
    return [{"name": name, "summary": _about(strategy)} for name, strategy in STRATEGIES.items()]


def builtin_documents() -> list[Json]:
    """The data sets that need no upload."""
    return [
        {"id": name, "name": name, "builtin": True, "summary": _first_paragraph(inspect.getdoc(load))}
        for name, load in BUILTIN.items()
    ]


def _about(entry: object) -> str:
    """The first paragraph of the file that an entry is written in, in one line."""
    kind = entry if inspect.isclass(entry) or inspect.isroutine(entry) else type(entry)
    return _first_paragraph(inspect.getdoc(inspect.getmodule(kind)))


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
