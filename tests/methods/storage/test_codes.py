"""Stored forms of tensors."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.storage.codes import decode, encode_codebook, encode_int8, encode_raw
from methods.storage.payload import Packed


def skewed(shape: tuple[int, ...], most: int) -> np.ndarray:
    """Small numbers, most of them zero, up to and including `most`."""
    values = np.minimum(np.random.default_rng(0).geometric(0.6, shape) - 1, most)
    values.reshape(-1)[0] = most
    return values


def examples() -> list[Packed]:
    """One packed tensor of every code."""
    book = np.linspace(-0.3, 0.7, 12, dtype=np.float32)
    codes = np.random.default_rng(0).integers(-127, 128, (4, 3, 3)).astype(np.int8)
    return [
        encode_raw(np.arange(6, dtype=np.float32).reshape(2, 3)),
        encode_int8(codes, np.full(4, 0.01, np.float32)),
        encode_int8(skewed((4, 900), 9).astype(np.int8), np.full(4, 0.01, np.float32)),
        encode_codebook(book, np.arange(12).reshape(3, 4)),
        encode_codebook(book, skewed((40, 300), 11)),
    ]


def parts(packed: Packed) -> tuple[np.ndarray, ...]:
    """What was packed, one array or two."""
    found = decode(packed)
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int32", "uint8", "bool"])
def test_full_numbers_come_back(dtype: str) -> None:
    """Shape, type and every value, for scalars too."""
    for shape in ((), (0,), (3, 2)):
        array = np.ones(shape, dtype=dtype)
        found = decode(encode_raw(array))
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, array, strict=True)


@given(st.integers(1, 256), st.lists(st.integers(1, 6), max_size=3), st.integers(0, 2**32 - 1))
def test_codebooks_come_back(centres: int, shape: list[int], seed: int) -> None:
    """Any number of centres, indices of any shape."""
    random = np.random.default_rng(seed)
    book = random.standard_normal(centres).astype(np.float32)
    indices = random.integers(0, centres, tuple(shape)).astype(np.uint8)
    found = decode(encode_codebook(book, indices))
    np.testing.assert_array_equal(found[0], book)
    np.testing.assert_array_equal(found[1], indices, strict=True)


def test_int8_codes_come_back_with_their_scales() -> None:
    """Plain and Huffman-coded."""
    for codes in (np.arange(-127, 127).reshape(2, 127).astype(np.int8), skewed((2, 5000), 3).astype(np.int8)):
        scale = np.array([0.5, 0.25], np.float32)
        found = decode(encode_int8(codes, scale))
        np.testing.assert_array_equal(found[0], codes, strict=True)
        np.testing.assert_array_equal(found[1], scale, strict=True)


def test_the_smallest_code_is_chosen() -> None:
    """Huffman where values are skewed, packed bits where they are even, 16-bit codebooks where nothing is lost."""
    assert [p.meta["code"] for p in examples()] == ["raw", "int8", "int8-huffman", "codebook", "codebook-huffman"]
    even = encode_codebook(np.array([0.5, -0.25], np.float32), np.tile([0, 1], 4000))
    assert len(even.payload) == 2 * 2 + 1000
    entropy = encode_codebook(np.linspace(0, 1, 12, dtype=np.float32), skewed((40, 300), 11))
    assert len(entropy.payload) < 12_000 * 2 / 8


@pytest.mark.parametrize("packed", examples(), ids=lambda p: p.meta["code"])
def test_meta_is_json(packed: Packed) -> None:
    """It survives a round trip through text, and decodes the same."""
    again = Packed(json.loads(json.dumps(packed.meta)), packed.payload)
    for one, other in zip(parts(packed), parts(again), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
