"""Rows of full numbers of any type, bit for bit: raw, in half the bits where that is exact, deflated, or as a book.

Deflating (byte by byte of each number, so that signs and exponents lie together) is tried on short rows only: on
trained weights it saves a tenth at most and costs seconds. A book lists the few values that there are.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.storage import symbols
from methods.storage.payload import Reader, StorageError, number
from methods.storage.symbols import Pieces, size_of

Array = NDArray[Any]

TYPES = ("float32", "float16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool", "bfloat16")
"""By their number in a file. bfloat16 stands for 16 bits that numpy has no name for."""
RAW, HALF, DEFLATED, BOOK = range(4)
SHORT, SAMPLE, MOST_VALUES = 1 << 12, 1 << 12, 256
"""Longest row that is deflated; numbers looked at before a book is made of a long one; longest book."""


def words_of(array: Array) -> Array:
    """The bits of each number, flat, as unsigned whole numbers: 0.0 and -0.0 differ, and any NaN equals itself."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{flat.dtype.itemsize}")


def encode(array: Array) -> Pieces:
    """The pieces of an array of one of `TYPES`, whose count and type the reader will know."""
    words = words_of(array)
    if not words.size:
        return []
    candidates = [_raw(words), *_half(array), *_deflated(words), *_book(words)]
    return min(candidates, key=size_of)


def decode(reader: Reader, dtype: str, count: int) -> Array:
    """The next `count` numbers, flat. Raises StorageError."""
    kind = np.dtype("uint16" if dtype == "bfloat16" else dtype)
    words = _words(reader, kind.itemsize, count)
    if kind == np.bool_ and words.size and int(words.max()) > 1:
        raise StorageError("a truth value is neither 0 nor 1")
    return words.view(kind)


def _raw(words: Array) -> Pieces:
    return [bytes([RAW]), words.astype(words.dtype.newbyteorder("<")).tobytes()]


def _half(array: Array) -> list[Pieces]:
    """float32 in 16 bits, where all come back bit for bit."""
    if array.dtype != np.float32:
        return []
    with np.errstate(over="ignore", invalid="ignore"):
        half = array.reshape(-1).astype(np.float16)
        exact = np.array_equal(words_of(half.astype(np.float32)), words_of(array))
    return [[bytes([HALF]), half.astype("<f2").tobytes()]] if exact else []


def _deflated(words: Array) -> list[Pieces]:
    if words.size > SHORT:
        return []
    planes = words.astype(words.dtype.newbyteorder("<")).view(np.uint8).reshape(len(words), -1).T
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeeze.compress(planes.tobytes()) + squeeze.flush()
    return [[bytes([DEFLATED]), number(len(data)), data]]


def _book(words: Array) -> list[Pieces]:
    if words.size > SAMPLE and len(np.unique(words[:: words.size // SAMPLE])) > MOST_VALUES:
        return []
    values, index = np.unique(words, return_inverse=True)
    if len(values) > min(MOST_VALUES, max(1, words.size // 2)):
        return []
    book = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return [[bytes([BOOK, len(values) - 1]), book, *symbols.encode(index.reshape(-1).astype(np.uint8))]]


def _words(reader: Reader, size: int, count: int) -> Array:
    if not count:
        return np.zeros(0, dtype=f"u{size}")
    mode = reader.take(1)[0]
    if mode == RAW:
        return reader.array(f"u{size}", count)
    if mode == HALF and size == 4:
        return words_of(reader.array("float16", count).astype(np.float32))
    if mode == DEFLATED:
        return _inflated(reader, size, count)
    if mode == BOOK:
        book = reader.array(f"u{size}", reader.take(1)[0] + 1)
        index = symbols.decode(reader, count)
        if int(index.max()) >= len(book):
            raise StorageError(f"an index points past the {len(book)} values that there are")
        return np.asarray(book[index])
    raise StorageError(f"a packed tensor's numbers are written in an unknown way ({mode})")


def _inflated(reader: Reader, size: int, count: int) -> Array:
    if count > SHORT:
        raise StorageError(f"{count} numbers are more than are ever deflated")
    data = reader.take(reader.number(1, len(reader), "count of bytes"))
    stretch = zlib.decompressobj(-15)
    try:
        planes = stretch.decompress(data, size * count + 1)
    except zlib.error as error:
        raise StorageError(f"a packed tensor can't be inflated: {error}") from error
    if len(planes) != size * count or not stretch.eof or stretch.unused_data or stretch.unconsumed_tail:
        raise StorageError(f"{len(data)} bytes don't inflate to {count} numbers")
    whole = np.ascontiguousarray(np.frombuffer(planes, dtype=np.uint8).reshape(size, count).T)
    return whole.view(f"<u{size}").reshape(-1).astype(f"u{size}")
