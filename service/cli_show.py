"""How the command line shows things: results on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of a table.")]


PIPED_WIDTH = 240
"""Columns where standard output is no terminal: ids and paths stay whole for whatever reads them."""


def out() -> Console:
    """The console for results."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def err() -> Console:
    """The console for progress and errors."""
    return Console(stderr=True, highlight=False)


def print_json(document: object) -> None:
    """One JSON document, indented, on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n")


def say(text: str) -> None:
    """One plain line on stdout; what looks like markup in it stays as it is."""
    out().print(Text(text), soft_wrap=True)


def hint(text: str) -> None:
    """One quiet line on stderr."""
    err().print(Text(text, style="dim"), soft_wrap=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], right: Iterable[int] = ()) -> None:
    """A table on stdout; columns in `right` are aligned to the right. Cells are text, never markup."""
    grid = Table(title=Text(title, style="bold") if title else None, title_justify="left", box=None, pad_edge=False)
    numbers = set(right)
    for index, name in enumerate(columns):
        grid.add_column(
            name,
            justify="right" if index in numbers else "left",
            header_style="dim",
            overflow="fold",
            no_wrap=index == 0,
        )
    for row in rows:
        grid.add_row(*(Text(str(cell)) for cell in row))
    out().print(grid)


def facts(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, one pair a line."""
    grid = Table.grid(padding=(0, 2))
    for name, value in pairs:
        grid.add_row(Text(name, style="dim"), Text(str(value)))
    out().print(grid)
