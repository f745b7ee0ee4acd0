"""Packed tensors that lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.storage.codes import decode, encode_codebook, encode_int8, encode_raw
from methods.storage.payload import Packed, StorageError

RANDOM = np.random.default_rng(0)
SKEWED = np.minimum(RANDOM.geometric(0.6, (30, 300)) - 1, 11)
BOOK = np.linspace(-0.3, 0.7, 12, dtype=np.float32)
GOOD = {
    p.meta["code"]: p
    for p in (
        encode_raw(BOOK),
        encode_int8(RANDOM.integers(-127, 128, (4, 9)).astype(np.int8), np.full(4, 0.01, np.float32)),
        encode_int8(SKEWED.astype(np.int8), np.full(30, 0.01, np.float32)),
        encode_codebook(BOOK, np.arange(12)),
        encode_codebook(BOOK, SKEWED),
    )
}
EVERY_CODE = pytest.mark.parametrize("code", list(GOOD))


@EVERY_CODE
def test_bytes_cut_off_or_added_are_noticed(code: str) -> None:
    """At every length but the right one."""
    good = GOOD[code]
    for size in (*range(0, len(good.payload), 7), len(good.payload) - 1):
        with pytest.raises(StorageError):
            decode(Packed(good.meta, good.payload[:size]))
    with pytest.raises(StorageError):
        decode(Packed(good.meta, good.payload + b"x"))


@EVERY_CODE
@pytest.mark.parametrize(
    "shape",
    [[1 << 39], [1 << 30, 1 << 30], [0, 1 << 39, 1 << 39], [-1], [2.0], "12", None, [True], [1] * 17, []],
    ids=str,
)
def test_a_shape_that_does_not_fit_the_bytes_is_refused(code: str, shape: Any) -> None:
    """Huge ones before anything is allocated, and anything that is no list of sizes."""
    with pytest.raises(StorageError):
        decode(Packed(dict(GOOD[code].meta) | {"shape": shape}, GOOD[code].payload))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("raw", {"code": "zip"}),
        ("raw", {"code": None}),
        ("raw", {"code": ["raw"]}),
        ("raw", {"dtype": "object"}),
        ("raw", {"dtype": ["float32"]}),
        ("int8", {"scale": [9]}),
        ("int8", {"scale": None}),
        ("codebook", {"bits": 0}),
        ("codebook", {"bits": 3}),
        ("codebook", {"bits": "4"}),
        ("codebook", {"centres": 11}),
        ("codebook", {"centres": 1 << 40}),
        ("codebook", {"values": "float64"}),
        ("codebook-huffman", {"centres": 13}),
    ],
)
def test_a_description_that_does_not_fit_is_refused(code: str, change: dict[str, Any]) -> None:
    """Unknown codes, types and widths, and counts that don't match the bytes."""
    with pytest.raises(StorageError):
        decode(Packed(dict(GOOD[code].meta) | change, GOOD[code].payload))


@EVERY_CODE
@given(st.data())
def test_damaged_bytes_are_refused_or_decode_to_the_same_shape(code: str, data: st.DataObject) -> None:
    """Whatever stands in the payload, nothing but StorageError comes out, and no index points past its codebook."""
    payload = bytearray(GOOD[code].payload)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(Packed(GOOD[code].meta, bytes(payload)))
    except StorageError:
        return
    values = found if isinstance(found, np.ndarray) else found[1 if "codebook" in code else 0]
    assert list(values.shape) == GOOD[code].meta["shape"]
    assert "codebook" not in code or int(values.max()) < len(BOOK)
