"""Folds rows that are alike: twelve layers of a transformer become one row, `encoder.{0..11}.linear1`."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]

NUMBER = re.compile(r"\d+")


def fold(documents: Iterable[Document]) -> list[dict[str, Any]]:
    """Documents with a `site`, lists of names and figures; those that differ in one number of their names only become
    one, with their `count`, in the order of the first ones. Errors may differ: the largest is shown."""
    buckets: dict[Hashable, list[Document]] = {}
    for document in documents:
        buckets.setdefault(_likeness(document), []).append(document)
    return [folded for bucket in buckets.values() for folded in _fold_bucket(bucket)]


def _likeness(document: Document) -> Hashable:
    """What has to agree: all figures, and the names but for their numbers."""
    figures = tuple(
        (k, v) for k, v in document.items() if not isinstance(v, list) and k not in ("site", "relative_error")
    )
    return NUMBER.sub("#", document["site"]), figures


def _fold_bucket(bucket: Sequence[Document]) -> list[dict[str, Any]]:
    """One pattern of names: along the number whose variation explains the most rows."""
    numbers = [NUMBER.findall(document["site"]) for document in bucket]
    place = _best_place(numbers)
    runs: dict[Hashable, list[Document]] = {}
    for document, found in zip(bucket, numbers, strict=True):
        rest = (*found[:place], *found[place + 1 :])
        runs.setdefault((rest, _without_number(document, place)), []).append(document)
    return [_folded(run, place) for run in runs.values()]


def _best_place(numbers: Sequence[Sequence[str]]) -> int:
    def rows_left(place: int) -> int:
        return len({(*found[:place], *found[place + 1 :]) for found in numbers})

    return min(range(len(numbers[0])), key=rows_left, default=0)


def _without_number(document: Document, place: int) -> Hashable:
    """All lists of names with the number at that place of the site left out, wherever they begin as the site does."""
    start, number = _split(document["site"], place)
    return tuple(_replaced(v, start, number, "#") for v in document.values() if isinstance(v, list))


def _split(site: str, place: int) -> tuple[str, str]:
    """The name of the site up to its number at that place, and the number."""
    name = site.partition(":")[2] or site
    skipped = len(NUMBER.findall(site)) - len(NUMBER.findall(name))
    found = list(NUMBER.finditer(name))
    if not 0 <= place - skipped < len(found):
        return name, ""
    match = found[place - skipped]
    return name[: match.start()], match[0]


def _replaced(names: Iterable[str], start: str, number: str, text: str) -> tuple[str, ...]:
    begin = re.compile(rf"^((?:[^:]+:)?{re.escape(start)}){number}(?!\d)")
    return tuple(begin.sub(lambda match: match[1] + text, name) if number else name for name in names)


def _folded(run: Sequence[Document], place: int) -> dict[str, Any]:
    first: dict[str, Any] = {**run[0], "count": len(run)}
    if "relative_error" in first:
        first["relative_error"] = max(document["relative_error"] for document in run)
    if len(run) == 1:
        return first
    start, number = _split(first["site"], place)
    span = _span(sorted({int(_split(document["site"], place)[1]) for document in run}))
    for key, value in run[0].items():
        if isinstance(value, list):
            first[key] = list(_replaced(value, start, number, span))
    return first | {"site": _replaced([first["site"]], start, number, span)[0]}


def _span(numbers: Sequence[int]) -> str:
    if numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) > 2:
        return f"{{{numbers[0]}..{numbers[-1]}}}"
    return "{" + ",".join(map(str, numbers)) + "}"
