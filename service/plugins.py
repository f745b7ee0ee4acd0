"""Plug-ins as documents: every method, published system, importance, recovery, schedule and strategy, for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from methods.catalogue import METHODS
from methods.importance.catalogue import IMPORTANCES
from methods.published.catalogue import PUBLISHED
from methods.published.row import Published
from methods.recovery.catalogue import RECOVERIES, SCHEDULES, settable
from search.catalogue import STRATEGIES

Document = dict[str, Any]


def method_documents() -> list[Document]:
    """Methods in the order in which a recipe applies them, then published systems, which are made of them."""
    methods: list[Document] = [
        {
            "name": name,
            "kind": "method",
            "stage": method.stage,
            "faster": method.runs,
            "tried_for": sorted(method.helps),
            "settings": settings_of(method),
            "summary": about(method),
        }
        for name, method in METHODS.items()
    ]
    return methods + [published_document(row) for row in PUBLISHED.values()]


def published_document(row: Published) -> Document:
    """One published system: where it comes from, and what it is made of on each axis."""
    return {
        "name": row.id,
        "kind": "published",
        "family": row.family,
        "axes": row.axes,
        "paper": row.paper,
        "arxiv": row.arxiv,
        "seed": row.id,
        "summary": row.title,
    }


def recovery_documents() -> list[Document]:
    """Recoveries, then schedules."""
    return _listed("recovery", RECOVERIES) + _listed("schedule", SCHEDULES)


def importance_documents() -> list[Document]:
    """Importances."""
    return _listed("importance", IMPORTANCES)


def strategy_documents() -> list[Document]:
    """Search strategies."""
    return [{"name": name, "summary": about(strategy)} for name, strategy in STRATEGIES.items()]


def settings_of(plain: Any) -> Document:
    """Setting -> its usual value, for those that a recipe may give."""
    return {name: getattr(plain, name) for name in sorted(settable(plain)) if _is_plain(getattr(plain, name))}


def about(entry: object) -> str:
    """The first paragraph of the file that an entry is written in, in one line."""
    kind = entry if isinstance(entry, type) or callable(entry) else type(entry)
    text = (getattr(sys.modules.get(str(getattr(kind, "__module__", ""))), "__doc__", None) or "").strip()
    return " ".join(text.split("\n\n")[0].split())


def _listed(kind: str, entries: Mapping[str, object]) -> list[Document]:
    return [
        {"name": name, "kind": kind, "settings": settings_of(entry), "summary": summary}
        for (name, entry), summary in zip(entries.items(), _summaries(entries.values()), strict=True)
    ]


def _summaries(entries: Iterable[object]) -> list[str]:
    """What each entry is: its file's first paragraph, or its own where a file holds several."""
    found = list(entries)
    files = [type(entry).__module__ for entry in found]
    return [about(e) if files.count(f) == 1 else _own(e) for e, f in zip(found, files, strict=True)]


def _own(entry: object) -> str:
    return " ".join((type(entry).__doc__ or "").strip().split("\n\n")[0].split())


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)
