"""What there is to choose from without an upload, as documents: built-in data sets."""

from __future__ import annotations

import inspect

from db.base import Json
from search.data import BUILTIN


def builtin_documents() -> list[Json]:
    """The data sets that need no upload."""
    return [
        {"id": name, "name": name, "builtin": True, "summary": _first_paragraph(inspect.getdoc(load))}
        for name, load in BUILTIN.items()
    ]


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())
