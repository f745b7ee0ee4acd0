"""Puts a blob together: rows of symbols that are alike share a Huffman table where that is smaller in total.

Pools grow from single rows: the two whose union saves most become one, as long as any two save anything, estimated by
entropies. A pool then gets the best table for all its rows together, and is kept if that is really smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from methods.numerics import huffman
from methods.storage.payload import Reader, Shape, StorageError, padding
from methods.storage.symbols import (
    GAPS,
    MOST_TABLES,
    PATTERNS,
    VALUES,
    Pieces,
    Row,
    entropy_bits,
    read_table,
    table_bytes,
)

Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]

LONG, MOST_ROWS, HEAD = 1 << 16, 64, 3
"""Symbols of a row from which on its table hardly counts; rows that are compared; about what a coded row says first."""


@dataclass(frozen=True, eq=False)
class _Pool:
    """Rows, how often each symbol occurs in them, and about how many bytes they take."""

    rows: tuple[Row, ...]
    counts: Counts
    size: float


def joined(pieces: Pieces) -> bytes:
    """The blob: the shared tables, every piece in order, and the zeros that it needs."""
    rows = [piece for piece in pieces if isinstance(piece, Row) and piece.symbols.size]
    tables: list[Bytes] = []
    for role in (VALUES, GAPS, PATTERNS):
        for pool in _grown([row for row in rows if row.role == role]):
            _share(pool, tables)
    head = bytes([len(tables)]) + b"".join(map(table_bytes, tables))
    blob = head + b"".join(p.to_bytes(tables) if isinstance(p, Row) else p for p in pieces)
    return blob + bytes(padding(len(blob), sum(p.elements for p in pieces if isinstance(p, Shape))))


def opened(blob: bytes) -> Reader:
    """A reader of a blob, its shared tables read."""
    reader = Reader(blob)
    count = reader.number(0, MOST_TABLES, "count of tables")
    try:
        for _ in range(count):
            reader.tables.append(read_table(reader))
            huffman.canonical_codes(reader.tables[-1])
    except ValueError as error:
        raise StorageError(f"a shared code table is damaged: {error}") from error
    return reader


def _grown(rows: Sequence[Row]) -> list[_Pool]:
    """The pools of at least two rows, of those rows for which a table is no trifle."""
    short = sorted((row for row in rows if row.symbols.size < LONG), key=lambda row: row.symbols.size)[:MOST_ROWS]
    live = {i: _Pool((row,), row.counts, float(row.own_bytes)) for i, row in enumerate(short)}
    unions = {(a, b): _union(live[a], live[b]) for b in live for a in range(b)}
    while unions:
        (a, b), union = min(
            unions.items(), key=lambda item: item[1].size - live[item[0][0]].size - live[item[0][1]].size
        )
        if union.size >= live[a].size + live[b].size:
            break
        del live[a], live[b]
        unions = {pair: other for pair, other in unions.items() if not {a, b} & set(pair)}
        new = max(*live, a, b) + 1
        unions |= {(i, new): _union(pool, union) for i, pool in live.items()}
        live[new] = union
    return [pool for pool in live.values() if len(pool.rows) > 1]


def _union(one: _Pool, other: _Pool) -> _Pool:
    counts = np.zeros(max(len(one.counts), len(other.counts)), dtype=np.int64)
    counts[: len(one.counts)] += one.counts
    counts[: len(other.counts)] += other.counts
    rows = one.rows + other.rows
    return _Pool(rows, counts, (entropy_bits(counts) + 4 * len(counts)) / 8 + HEAD * len(rows))


def _share(pool: _Pool, tables: list[Bytes]) -> None:
    """Gives a pool a table, if it is worth it; rows that it serves worse than their own way stay out."""
    if len(tables) == MOST_TABLES:
        return
    lengths = huffman.code_lengths(pool.counts)
    gaining = [row for row in pool.rows if row.coded_bytes(lengths) < row.own_bytes]
    if sum(row.own_bytes - row.coded_bytes(lengths) for row in gaining) > len(table_bytes(lengths)):
        for row in gaining:
            row.shared = len(tables)
        tables.append(lengths)
