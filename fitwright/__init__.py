"""Fits a trained network to a device: `capture`, `compress`, `load`, `Client`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitwright.face import compress
    from methods.graph.intake.capture import capture
    from methods.graph.module import load
    from service.client import Client

__all__ = ["Client", "capture", "compress", "load"]

_HOMES = {
    "capture": "methods.graph.intake.capture",
    "compress": "fitwright.face",
    "load": "methods.graph.module",
    "Client": "service.client",
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used, so that the client needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"fitwright has no {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module  # one line of laziness

    return getattr(import_module(_HOMES[name]), name)
