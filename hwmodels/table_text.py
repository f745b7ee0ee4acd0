"""Tables of measurements as text: CSV that other tools write and a user can read, and back.

    # device: my-npu
    # runtime: vendor-tool
    # version: 2.1
    # machine: devkit A
    signature,latency_us,calls
    overhead,12.5,1000
    conv out=32 int8 i8[1x16x14x14] * i8[*x16x3x3] -> i8[1x*x14x14] {...},81.2,1000

Lines that begin with `#` are the header; the first other line names the columns. A row is known by its `signature`
(hwmodels/signature.py for tables that come from elsewhere) or by its `key`, which is the signature where none is given.
Times have their unit in the column's name (`latency_s`, `latency_ms`, `latency_us`, `latency_ns`). Every fault is named
by its line, all of them at once, and a table with any is not read at all.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from hwmodels.base import Measurement
from hwmodels.table import BadTable, Table, TableHeader
from hwmodels.table_text_units import COLUMNS, LATER, Column, columns_of, misunited

HEADER = tuple(field.name for field in fields(TableHeader))
WHOLE = ("threads", "batch")
MOST_FAULTS = 100
"""Faults that are named one by one."""


class BadText(BadTable):
    """A table's text can't be right. `faults` are sentences, each with its line."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(self.faults))


def read_csv(text: str) -> Table:
    """The table in a CSV text. Raises BadText, naming every line that is wrong."""
    faults: list[str] = []
    header, lines = _split(text, faults)
    reader = csv.reader((line for _, line in lines), strict=True)
    try:
        rows = [(lines[reader.line_num - 1][0], row) for row in reader]
    except csv.Error as error:
        raise BadText([f"line {lines[min(reader.line_num, len(lines)) - 1][0]}: {error}"]) from error
    if not rows:
        raise BadText([*faults, "there is no line that names the columns, such as signature,latency_us"])
    columns = columns_of(rows[0][1], rows[0][0], faults)
    found = _Rows(faults)
    for number, row in rows[1:]:
        found.read(number, row, columns)
    return found.table(header)


def read_json(text: str) -> Table:
    """The table in a JSON text, as `Table.to_json` has it. Raises BadText."""
    try:
        return Table.from_json(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise BadText([f"this is no JSON: {str(error)[:200]}"]) from error
    except BadTable as error:
        raise BadText([str(error)]) from error


def table_to_csv(table: Table) -> str:
    """The text of a table; `read_csv` gives the same table back."""
    out = io.StringIO()
    for name in HEADER:
        value = getattr(table.header, name)
        out.write(f"# {name}: {' '.join(str(value).split())}\n")
    out.write(f"{','.join(COLUMNS)}\n")
    writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    for key, row in sorted(table.rows.items()):
        figures = asdict(row)
        writer.writerow((key, table.signatures.get(key, ""), *(figures[name] for name in COLUMNS[2:])))
    return out.getvalue()


def _split(text: str, faults: list[str]) -> tuple[TableHeader, list[tuple[int, str]]]:
    """The header, and the other lines with their numbers."""
    given: dict[str, Any] = {}
    lines = []
    for number, line in enumerate(io.StringIO(text.removeprefix("\ufeff"), newline=None), 1):
        if line.startswith("#"):
            _header_line(number, line, given, faults)
        elif line.strip():
            lines.append((number, line))
    missing = [name for name in ("device", "runtime", "version", "machine") if name not in given]
    if missing:
        faults.append(f"the header lacks {', '.join(missing)}: lines such as '# {missing[0]}: ...' above the columns")
    return TableHeader(**({name: "" for name in missing} | given)), lines


def _header_line(number: int, line: str, given: dict[str, Any], faults: list[str]) -> None:
    name, colon, value = (part.strip() for part in line[1:].partition(":"))
    if name not in HEADER or not colon:
        return  # a comment
    if name in given:
        faults.append(f"line {number}: the header has {name} twice")
    elif name not in WHOLE:
        given[name] = value
    elif value.isdecimal() and 1 <= int(value[:9]) <= 4096:
        given[name] = int(value)
    else:
        faults.append(f"line {number}: {name} is {value!r:.40}; it is a whole number from 1 to 4096")


class _Rows:
    """Rows that were read, and what was wrong with the others."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        self.lines: dict[str, int] = {}
        self.rows: dict[str, Measurement] = {}
        self.signatures: dict[str, str] = {}

    def read(self, number: int, row: Sequence[str], columns: Sequence[Column | None]) -> None:
        """Takes one row, or notes what is wrong with it."""
        if len(row) != len(columns):
            self.faults.append(f"line {number}: it has {len(row)} fields, and the columns are {len(columns)}")
            return
        cells = {column.name: (column, cell.strip()) for column, cell in zip(columns, row) if column is not None}
        texts = {name: " ".join(cells[name][1].split()) for name in ("key", "signature") if name in cells}
        key = texts.get("key") or texts.get("signature", "")
        if not key:
            self.faults.append(f"line {number}: it has no signature and no key; nothing says what was measured")
        elif key in self.lines:
            self.faults.append(f"line {number}: {key[:80]!r} is there already, in line {self.lines[key]}")
        else:
            self.lines[key] = number
            self._measured(number, key, cells)
            self.signatures[key] = texts.get("signature") or key

    def table(self, header: TableHeader) -> Table:
        """All of it. Raises BadText if anything was wrong."""
        if not self.faults:
            latencies = {key: row.latency_s for key, row in self.rows.items()}
            self.faults += [f"line {self.lines[key]}: {text}" for key, text in misunited(latencies, self.signatures)]
        if not self.faults and not self.rows:
            self.faults.append("there is no row below the columns")
        if self.faults:
            more = len(self.faults) - MOST_FAULTS
            raise BadText(self.faults[:MOST_FAULTS] + [f"and {more} more"] * (more > 0))
        return Table(header, self.rows, self.signatures)

    def _measured(self, number: int, key: str, cells: Mapping[str, tuple[Column, str]]) -> None:
        found = dict(self._figures(number, cells))
        if "latency_s" not in found:
            return
        minimum = found["latency_s"]
        p10 = found.get("p10_s", minimum)
        later = [found.get(name, 0.0) for name in LATER]
        row = Measurement(minimum, p10, found.get("median_s", p10), int(found.get("calls", 1)), *later)
        if not minimum <= p10 <= row.median_s:
            self.faults.append(
                f"line {number}: latency, p10 and median must rise, not {minimum}, {p10}, {row.median_s}"
            )
        self.rows[key] = row

    def _figures(self, number: int, cells: Mapping[str, tuple[Column, str]]) -> Iterator[tuple[str, float]]:
        """Figures in SI units; an empty cell is none, but for the latency."""
        for name, (column, cell) in cells.items():
            if column.scale == 0 or (not cell and name != "latency_s"):
                continue
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            wrong = column.wrong(value)
            if wrong:
                self.faults.append(f"line {number}: {column.title} is {cell!r:.40}; {wrong}")
            else:
                yield name, value / column.scale
