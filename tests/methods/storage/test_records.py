"""Whole tensors: every form comes back bit for bit, in the bytes that it should take."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.circulant import blocks_shape, diagonals
from methods.numerics.hashing import hashed
from methods.storage import records
from methods.storage.coded import Coded
from methods.storage.lookups import LookedUp
from methods.storage.payload import ELEMENTS_PER_BYTE, StorageError
from methods.storage.plain import Plain
from methods.storage.symbols import size_of
from tests.methods.storage.helpers import blob_of, read_all, same_bits, skewed

RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.standard_normal((40, 60)).astype(np.float32)


@given(st.lists(st.integers(0, 6), max_size=4), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_full_and_masked_tensors_come_back(shape: list[int], share: float, seed: int) -> None:
    """With their mask, even where what is kept is 0; what is not kept is 0."""
    random = np.random.default_rng(seed)
    values = (random.standard_normal(tuple(shape)) * (random.random(tuple(shape)) < 0.7)).astype(np.float32)
    mask = np.asarray(random.random(tuple(shape)) < share)
    plain, masked = read_all(blob_of(Plain(values), Plain(values, mask)), 2)
    assert isinstance(plain, Plain)
    assert isinstance(masked, Plain)
    assert masked.mask is not None
    assert same_bits(plain.values, values)
    assert same_bits(masked.values, np.where(mask, values, np.float32(0)))
    assert np.array_equal(masked.mask, mask)


@given(st.integers(1, 16), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5), st.booleans(), st.integers(0, 99))
def test_codes_come_back(bits: int, outer: int, scales: int, inner: int, masked: bool, seed: int) -> None:
    """1 to 16 bits, scales and zero points for the tensor, its channels or groups, on any axis."""
    random = np.random.default_rng(seed)
    codes = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (outer, scales, inner))
    zero = random.integers(0, 3, scales).astype(np.int32)
    scale = random.random(scales).astype(np.float32) + np.float32(0.01)
    mask = np.asarray(random.random(codes.shape) < 0.4) if masked else None
    (found,) = read_all(blob_of(Coded(codes, scale, zero, inner, mask)))
    assert isinstance(found, Coded)
    expected = codes if mask is None else np.where(mask, codes, zero[:, None])
    assert np.array_equal(found.codes, expected)
    assert same_bits(found.values, ((expected - zero[:, None]).astype(np.float32) * scale[:, None]))
    assert found.mask is not None
    assert np.array_equal(found.mask, np.ones(codes.shape, bool) if mask is None else mask)


@given(st.integers(1, 700), st.integers(1, 3), st.booleans(), st.booleans(), st.integers(0, 99))
def test_look_ups_come_back(entries: int, width: int, masked: bool, with_signs: bool, seed: int) -> None:
    """Books of numbers and of vectors, of more than 256 entries too, with masks and signs."""
    random = np.random.default_rng(seed)
    shape = (7, 5 * width)
    book = random.standard_normal((entries, width) if width > 1 else entries).astype(np.float32)
    indices = random.integers(0, entries, 35).astype(np.int32)
    mask = np.asarray(random.random(shape) < 0.5) if masked else None
    signs = random.choice([-1, 1], shape).astype(np.int8) if with_signs else None
    (found,) = read_all(blob_of(LookedUp(book, indices, shape, mask, signs)))
    assert isinstance(found, LookedUp)
    assert same_bits(found.book, book)
    assert np.array_equal(found.indices, np.where(mask.reshape(-1), indices, 0) if masked and width == 1 else indices)  # type: ignore[union-attr]
    assert (found.mask is None) == (mask is None)
    assert mask is None or np.array_equal(found.mask, mask)  # type: ignore[arg-type]
    assert signs is None or np.array_equal(found.signs, signs)  # type: ignore[arg-type]


@pytest.mark.parametrize(("bits", "share"), [(1, 0.5), (3, 1.0), (5, 0.1)])
def test_even_codes_take_their_bits(bits: int, share: float) -> None:
    """A blob of `bits` for each kept weight, its places, and at most 40 bytes and 2 % beside."""
    codes = RANDOM.integers(0, 2**bits, (256, 256))
    mask = np.asarray(RANDOM.random((256, 256)) < share)
    size = len(blob_of(Coded(codes, np.full(1, 0.1, np.float32), np.zeros(1, np.int32), 65536, mask)))
    places = 0.0 if share == 1.0 else -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert size <= 1.02 * 65536 * (bits * share + places) / 8 + 40


def test_hashed_weights_take_their_buckets_alone() -> None:
    """Indices and signs follow from the seed."""
    made = hashed((40, 60), 100, 3)
    record = LookedUp(NORMAL.reshape(-1)[:100], made.indices.reshape(-1), (40, 60), None, made.signs, "buckets")
    blob = blob_of(record)
    assert len(blob) <= 100 * 4 + 20
    (found,) = read_all(blob)
    assert isinstance(found, LookedUp)
    assert np.array_equal(found.indices, record.indices)
    assert np.array_equal(found.signs, made.signs)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(40, 60), (16, 8, 3, 3)])
def test_circulant_weights_take_their_columns_and_flips(shape: tuple[int, ...]) -> None:
    """The diagonals follow from the block; the signs are one bit for each input."""
    count = int(np.prod(blocks_shape(shape, 4)))
    flips = RANDOM.choice([-1, 1], shape[1]).astype(np.int8)
    signs = np.broadcast_to(flips.reshape(1, -1, *[1] * (len(shape) - 2)), shape)
    indices = diagonals(shape, 4).numpy().reshape(-1).astype(np.int32)
    blob = blob_of(LookedUp(NORMAL.reshape(-1)[:count], indices, shape, None, signs, "circulant"))
    assert len(blob) <= count * 4 + shape[1] // 8 + 25
    (found,) = read_all(blob)
    assert isinstance(found, LookedUp)
    assert np.array_equal(found.indices, indices)
    assert np.array_equal(found.signs, signs)  # type: ignore[arg-type]


def test_indices_that_break_their_rule_are_written_out() -> None:
    """One place that was changed: exact all the same, at an index for each."""
    indices = hashed((40, 60), 100, 0).indices.reshape(-1).copy()
    indices[5] = (indices[5] + 1) % 100
    blob = blob_of(LookedUp(NORMAL.reshape(-1)[:100], indices, (40, 60), kind="buckets"))
    (found,) = read_all(blob)
    assert len(blob) > 2400 * 6 // 8
    assert isinstance(found, LookedUp)
    assert np.array_equal(found.indices, indices)


def test_a_blob_holds_no_more_than_its_bytes_allow() -> None:
    """A tensor of nothing but one number is made up to a byte for every so many numbers, and comes back."""
    blob = blob_of(Plain(np.zeros((2000, 1000), np.float32)))
    assert len(blob) == -(-2_000_000 // ELEMENTS_PER_BYTE)
    (found,) = read_all(blob)
    assert isinstance(found, Plain)
    assert not found.values.any()


def test_what_has_no_form_is_refused() -> None:
    """Types without a number in the file, codes wider than 16 bits, indices outside their book."""
    one = np.ones(1, np.float32)
    with pytest.raises(StorageError, match="complex64"):
        blob_of(Plain(np.zeros(3, np.complex64)))
    with pytest.raises(StorageError, match="16 bits"):
        blob_of(Coded(np.array([0, 70_000]), one, np.zeros(1, np.int32), 2))
    with pytest.raises(StorageError, match="book of 2"):
        blob_of(LookedUp(np.zeros(2, np.float32), np.array([2], np.int32), (1,)))


def test_several_tensors_share_a_table_and_come_back() -> None:
    """Five layers of like codes: one table for all, the same codes."""
    layers = [
        Coded(skewed(900, 40, k).astype(np.int64).reshape(30, 30), np.ones(1, np.float32), np.zeros(1, np.int32), 900)
        for k in range(5)
    ]
    blob = blob_of(*layers)
    assert blob[0] == 1
    for found, layer in zip(read_all(blob, 5), layers, strict=True):
        assert isinstance(found, Coded)
        assert np.array_equal(found.codes, layer.codes)


@pytest.mark.seed("sparse-storage", "huffman-coding")
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.7])
def test_the_bytes_that_are_counted_are_those_of_the_payload(share: float) -> None:
    """Before anything is written, for masked codes with code tables and for full numbers; the head is one byte."""
    mask = np.asarray(RANDOM.random((40, 60)) < share)
    codes = skewed(2400, 14).astype(np.int64).reshape(40, 60)
    for record in (Plain(NORMAL, mask), Coded(codes, np.ones(1, np.float32), np.zeros(1, np.int32), 2400, mask)):
        assert len(blob_of(record)) == 1 + size_of(records.encode(record))
