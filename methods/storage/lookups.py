"""Weights that are looked up in a book of few values: codebooks, hashed buckets, circulant blocks."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from methods.storage import numbers, positions, rules, symbols
from methods.storage.payload import Reader, Shape, StorageError
from methods.storage.symbols import Pieces

Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class LookedUp:
    """`book[indices]`: a book `[k]` or `[k, d]` of float32, flat indices; `shape` is that of the weight.

    `mask` of that shape: indices that it leaves out come back as 0. `signs`, int8 of that shape, 1 and -1. `kind`: how
    the indices were made (`buckets`, `circulant`), which may spare them.
    """

    book: NDArray[np.float32]
    indices: NDArray[np.int32]
    shape: tuple[int, ...]
    mask: NDArray[np.bool_] | None = None
    signs: NDArray[np.int8] | None = None
    kind: str = ""


MASKED, SIGNED, RULED = 1, 2, 4


def encode(record: LookedUp) -> Pieces:
    """The pieces: book, then indices (or their rule) where they are kept, then signs that no rule makes."""
    _check(record)
    rule = rules.rule_of(record.kind, record.shape, len(record.book), record.indices, record.signs)
    flags = MASKED * (record.mask is not None) + SIGNED * (record.signs is not None) + RULED * bool(rule)
    pieces: Pieces = [Shape.of(record.shape), Shape.of(record.book.shape), bytes([flags]), *numbers.encode(record.book)]
    pieces += positions.encode(record.mask) if record.mask is not None else []
    pieces += [rule] if rule else _indices(record)
    if record.signs is not None and rule[:1] != bytes([rules.HASHED]):
        pieces += positions.encode(record.signs > 0)
    return pieces


def decode(reader: Reader) -> LookedUp:
    """The weight that comes next. Raises StorageError."""
    shape, book_shape = reader.shape(), reader.shape()
    flags = reader.number(0, MASKED + SIGNED + RULED, "flags")
    if not 1 <= len(book_shape) <= 2 or not prod(book_shape) or prod(shape) % prod(book_shape[1:]):
        raise StorageError(f"a book of shape {list(book_shape)} can't make a tensor of shape {list(shape)}")
    book = numbers.decode(reader, "float32", prod(book_shape)).reshape(book_shape)
    mask = positions.decode(reader, shape) if flags & MASKED else None
    signs = None
    if flags & RULED:
        indices, signs = rules.followed(reader, shape, len(book))
        signs = signs if flags & SIGNED else None
    else:
        indices = _read_indices(reader, mask, prod(shape) // prod(book_shape[1:]), len(book))
    if indices.size * prod(book_shape[1:]) != prod(shape):
        raise StorageError(f"{indices.size} indices don't make a tensor of shape {list(shape)}")
    if flags & SIGNED and signs is None:
        signs = np.where(positions.decode(reader, shape), 1, -1).astype(np.int8)
    return LookedUp(book, indices, shape, mask, signs)


def _check(record: LookedUp) -> None:
    entries = len(record.book)
    low, high = (int(record.indices.min()), int(record.indices.max())) if record.indices.size else (0, 0)
    if not entries or low < 0 or high >= entries:
        raise StorageError(f"indices from {low} to {high} don't lie within a book of {entries}")


def _kept(indices: Indices, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Which indices a mask keeps; None for all: without a mask, or where each index stands for several weights."""
    return mask.reshape(-1) if mask is not None and mask.size == indices.size else None


def _indices(record: LookedUp) -> Pieces:
    kept = _kept(record.indices, record.mask)
    indices = record.indices if kept is None else record.indices[kept]
    planes = [indices >> 8 * place & 0xFF for place in range(_planes(len(record.book)))]
    return [piece for plane in planes for piece in symbols.encode(plane.astype(np.uint8))]


def _planes(entries: int) -> int:
    """The bytes of an index."""
    return max(1, -(-(entries - 1).bit_length() // 8))


def _read_indices(reader: Reader, mask: NDArray[np.bool_] | None, count: int, entries: int) -> Indices:
    indices = np.zeros(count, dtype=np.int32)
    kept = _kept(indices, mask)
    many = count if kept is None else int(np.count_nonzero(kept))
    found = np.zeros(many, dtype=np.int64)
    for place in range(_planes(entries)):
        found |= symbols.decode(reader, many).astype(np.int64) << 8 * place
    if found.size and int(found.max()) >= entries:
        raise StorageError(f"an index points past the {entries} entries of its book")
    indices[slice(None) if kept is None else kept] = found
    return indices
