"""Packed tensors that lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.numerics.circulant import blocks_shape, diagonals
from methods.numerics.hashing import hashed
from methods.storage.coded import Coded
from methods.storage.lookups import LookedUp
from methods.storage.payload import StorageError, number
from methods.storage.plain import Plain
from methods.storage.records import Record
from tests.methods.storage.helpers import blob_of, read_all, skewed

RANDOM = np.random.default_rng(0)
BOOK = np.linspace(-0.3, 0.7, 12, dtype=np.float32)
SPARSE = np.asarray(RANDOM.random((30, 40)) < 0.1)
KERNELS = (RANDOM.random((5, 3, 3)) < 0.5)[RANDOM.integers(0, 5, (10, 8))]
NORMAL = RANDOM.standard_normal((30, 40)).astype(np.float32)
CODES = skewed(1200, 9).astype(np.int64).reshape(30, 40)
ONE, NONE = np.ones(1, np.float32), np.zeros(1, np.int32)
HASHED = hashed((30, 40), 60, 2)
DIAGONALS = diagonals((30, 40), 4).numpy().reshape(-1).astype(np.int32)
WRAPPED = RANDOM.standard_normal(int(np.prod(blocks_shape((30, 40), 4)))).astype(np.float32)

GOOD: dict[str, tuple[Record, ...]] = {
    "raw": (Plain(RANDOM.standard_normal(5000).astype(np.float32)),),
    "deflated": (Plain(np.arange(900)),),
    "book": (Plain(BOOK[CODES]),),
    "half": (Plain(NORMAL.astype(np.float16).astype(np.float32)),),
    "truths": (Plain(NORMAL > 0),),
    "gaps": (Plain(NORMAL, SPARSE),),
    "kernels": (Plain(np.ones((10, 8, 3, 3), np.float32), KERNELS),),
    "blocks": (Coded(np.ones((120, 80), np.int64), ONE, NONE, 9600, np.repeat(np.repeat(SPARSE, 4, 0), 2, 1)),),
    "fixed": (Coded(RANDOM.integers(-4, 4, (30, 40)), np.ones(30, np.float32), np.ones(30, np.int32), 40),),
    "wide": (Coded(RANDOM.integers(-9000, 9000, (30, 40)), ONE, NONE, 1200),),
    "huffman": (Coded(CODES, ONE, NONE, 1200, SPARSE),),
    "shared": tuple(Coded(CODES[i : i + 6], ONE, NONE, 240) for i in range(0, 30, 6)),
    "mostly zero": (Coded((RANDOM.random((30, 40)) < 0.05).astype(np.int64), ONE, NONE, 1200),),
    "look-up": (LookedUp(BOOK, CODES.reshape(-1).astype(np.int32), (30, 40), SPARSE),),
    "hashed": (LookedUp(BOOK.repeat(5), HASHED.indices.reshape(-1), (30, 40), None, HASHED.signs, "buckets"),),
    "circulant": (LookedUp(WRAPPED, DIAGONALS, (30, 40), SPARSE, None, "circulant"),),
}
BLOBS = {name: blob_of(*records) for name, records in GOOD.items()}
EVERY = pytest.mark.parametrize("name", list(GOOD))


def shapes(records: list[Record]) -> list[tuple[int, ...]]:
    """The shapes of what was read; asking for the values must not fail either."""
    return [r.shape if isinstance(r, LookedUp) else r.values.shape for r in records]


@EVERY
def test_bytes_cut_off_or_added_are_noticed(name: str) -> None:
    """At every length but the right one."""
    good, count = BLOBS[name], len(GOOD[name])
    for size in (*range(0, len(good), max(1, len(good) // 50)), len(good) - 1):
        with pytest.raises(StorageError):
            read_all(good[:size], count)
    for more in (b"x", b"\0", bytes(500)):
        with pytest.raises(StorageError):
            read_all(good + more, count)


@EVERY
@settings(max_examples=60)
@given(st.data())
def test_damaged_bytes_are_refused_or_decode_to_something_sound(name: str, data: st.DataObject) -> None:
    """Whatever stands in the blob, nothing but StorageError comes out: masks and signs have their tensor's shape, no
    index points past its book, no scale is infinite."""
    blob = bytearray(BLOBS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, min(40, len(blob) - 1)), st.integers(0, len(blob) - 1)))
        blob[place] = data.draw(st.integers(0, 255))
    try:
        found = read_all(bytes(blob), len(GOOD[name]))
    except StorageError:
        return
    for record, shape in zip(found, shapes(found), strict=True):
        assert record.mask is None or record.mask.shape == shape
        assert not isinstance(record, LookedUp) or record.book[record.indices].size == np.prod(shape)
        assert not isinstance(record, Coded) or np.isfinite(record.scale).all()


@given(st.binary(max_size=200), st.integers(0, 2))
def test_noise_is_refused_or_is_a_small_tensor(noise: bytes, form: int) -> None:
    """Any bytes behind a form never make more numbers than they may."""
    try:
        found = read_all(bytes([0, form]) + noise)
    except StorageError:
        return
    assert sum(int(np.prod(shape)) for shape in shapes(found)) <= 256 * 202


def plain(*sizes: int, axes: int | None = None) -> bytes:
    """A float32 tensor of some shape, all of it kept, its numbers from a book of one."""
    shape = number(len(sizes) if axes is None else axes) + b"".join(map(number, sizes))
    return bytes([0, 0, 0]) + shape + bytes([0, 3, 0]) + bytes(4) + bytes([0, 0])


HUGE = {
    "elements": plain(1 << 29),
    "product": plain(1 << 20, 1 << 20, 1 << 20),
    "size": plain(1 << 40),
    "empty and huge": plain(0, 1 << 29),
    "axes": plain(*[1] * 17),
    "many axes": plain(axes=1 << 30),
    "never ending number": bytes([0, 0, 0]) + b"\x80" * 50,
    "number that is longer than it needs to be": bytes([0, 0, 0, 1, 0x81, 0x80, 0x00]) + bytes(40),
    "scales": bytes([0, 1]) + number(1) + number(8) + number(1 << 29) + number(1) + bytes(40),
    "stretch": bytes([0, 1]) + number(1) + number(8) + number(1) + number(1 << 29) + bytes(40),
    "scales of nothing": bytes([0, 1]) + number(1) + number(0) + number(1 << 29) + number(1) + bytes(40),
    "book": bytes([0, 2]) + number(1) + number(8) + number(1) + number(1 << 29) + bytes(40),
    "no book": bytes([0, 2]) + number(1) + number(8) + number(1) + number(0) + bytes(40),
    "form": bytes([0, 3]) + bytes(40),
    "tables": bytes([17]) + bytes(200),
    "table that is no code": bytes([1, 3, 0x11, 0x11]) + plain(1)[1:],
    "nothing": b"",
}


@pytest.mark.parametrize("name", HUGE)
def test_what_asks_for_too_much_is_refused_before_it_is_made(name: str) -> None:
    """Shapes, scales, books and tables beyond the bytes that are there."""
    with pytest.raises(StorageError, match=r"\w+ \w+"):
        read_all(HUGE[name])


def test_a_small_tensor_of_that_kind_is_read() -> None:
    """What is refused above is refused for its sizes."""
    assert shapes(read_all(plain(5, 7))) == [(5, 7)]
