"""Rows of symbols, and the tables that they share."""

from __future__ import annotations

import heapq
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.storage.payload import Reader
from methods.storage.pool import joined, opened
from methods.storage.symbols import GAPS, Row, decode, encode, entropy_bits, size_of
from tests.methods.storage.helpers import part, skewed


def huffman_bits(symbols: list[int]) -> int:
    """What Huffman's own construction needs: the sum of all merged weights."""
    heap = list(Counter(symbols).values())
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@pytest.mark.seed("huffman-coding")
@given(st.integers(0, 6000), st.integers(1, 256), st.floats(0.02, 0.98), st.integers(0, 2**32 - 1))
def test_symbols_come_back(count: int, alphabet: int, peak: float, seed: int) -> None:
    """decode(encode(x)) == x for any row, from even to one symbol throughout; the size is known before writing."""
    symbols = np.minimum(np.random.default_rng(seed).geometric(peak, count) - 1, alphabet - 1).astype(np.uint8)
    pieces = encode(symbols)
    assert np.array_equal(part(pieces, lambda reader: decode(reader, count)), symbols)
    assert len(joined(pieces)) == 1 + size_of(pieces)


@pytest.mark.seed("huffman-coding")
@given(st.integers(2000, 5000), st.integers(3, 200), st.integers(0, 2**32 - 1))
def test_a_coded_row_lies_between_entropy_and_one_bit_more(count: int, alphabet: int, seed: int) -> None:
    """Average bits within [H, H + 1], with the table's bytes counted: never above what Huffman's construction takes."""
    symbols = skewed(count, alphabet - 1, seed)
    row = Row(symbols)
    bits = int((row.counts * row.lengths).sum())
    entropy = entropy_bits(row.counts)
    assert entropy <= bits + 1e-6
    assert bits <= entropy + count
    assert bits == huffman_bits(symbols.tolist())
    table = 1 + -(-len(row.counts) * 4 // 8)
    assert row.own_bytes <= 1 + table + 2 + 2 * ((count - 1) // 4096) + -(-bits // 8)


@pytest.mark.parametrize(
    ("symbols", "size"),
    [
        (np.zeros(0, np.uint8), 0),
        (np.full(5000, 7, np.uint8), 2),
        (np.arange(4000, dtype=np.uint8) % 4, 1 + 1000),
        (np.arange(4096).astype(np.uint8), 1 + 4096),
    ],
    ids=["nothing", "constant", "two bits", "eight bits"],
)
def test_even_rows_take_their_width(symbols: np.ndarray, size: int) -> None:
    """Nothing, one symbol throughout, and fixed widths where Huffman gains nothing."""
    assert size_of(encode(symbols)) == size


def test_a_row_of_nearly_one_symbol_takes_less_than_a_bit_each() -> None:
    """Huffman alone can't: 1 % of others in 20,000 symbols."""
    symbols = np.zeros(20_000, np.uint8)
    symbols[np.random.default_rng(0).choice(20_000, 200, replace=False)] = 3
    pieces = encode(symbols)
    assert size_of(pieces) < 20_000 / 8 / 8
    assert np.array_equal(part(pieces, lambda reader: decode(reader, 20_000)), symbols)


def _alike(rows: int) -> list[Row]:
    return [Row(skewed(300, 63, seed)) for seed in range(rows)]


def test_rows_that_are_alike_share_a_table() -> None:
    """Eight short rows with one table are smaller than each with its own, and all come back."""
    rows = _alike(8)
    blob = joined(list(rows))
    assert blob[0] == 1
    assert len(blob) < size_of(list(rows)) - 30
    reader = opened(blob)
    assert all(np.array_equal(decode(reader, 300), row.symbols) for row in rows)


def test_a_row_that_is_served_worse_keeps_its_own_table() -> None:
    """One row of other symbols stays out; rows that say other things never share."""
    odd = Row((200 + skewed(3000, 50, 9)).astype(np.uint8))
    blob = joined([*_alike(8), odd])
    assert odd.shared is None
    assert blob[0] == 1
    gaps = [Row(row.symbols, GAPS) for row in _alike(8)]
    assert joined([*_alike(8), *gaps])[0] == 2


def test_a_blob_is_never_larger_for_sharing() -> None:
    """One table for all or none, whichever is smaller, for rows of any mixture."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows = [Row(skewed(int(random.integers(1, 600)), int(random.integers(1, 200)), k)) for k in range(6)]
        alone = 1 + size_of([Row(row.symbols) for row in rows])
        assert len(joined(list(rows))) <= alone
        assert isinstance(opened(joined(list(rows))), Reader)
