"""Huffman codes."""

from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.huffman import LIMIT, Stream, canonical_codes, code_lengths, decode, encode


def free_cost(counts: list[int]) -> int:
    """Bits that Huffman's own construction needs, without a limit on lengths: the sum of all merged weights."""
    heap = [c for c in counts if c]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40).filter(lambda c: sum(map(bool, c)) > 1))
def test_lengths_are_the_best_there_are(counts: list[int]) -> None:
    """As few bits as the classic construction, where the limit doesn't matter."""
    lengths = code_lengths(np.array(counts))
    assert int((lengths * np.array(counts)).sum()) == free_cost(counts)


def test_lengths_keep_the_limit() -> None:
    """Forty doubling counts would need 39 bits; the limited code is still complete."""
    lengths = code_lengths(np.array([2**i for i in range(40)]))
    assert int(lengths.max()) == LIMIT
    assert sum(2.0 ** -int(n) for n in lengths) == 1.0


@given(st.integers(1, 9000), st.integers(1, 256), st.integers(0, 2**32 - 1))
def test_what_is_coded_comes_back(count: int, alphabet: int, seed: int) -> None:
    """Over any number of blocks and symbols, a single one included."""
    random = np.random.default_rng(seed)
    symbols = np.minimum(random.geometric(0.2, count) - 1, alphabet - 1).astype(np.uint8)
    stream = encode(symbols, code_lengths(np.bincount(symbols, minlength=alphabet)))
    np.testing.assert_array_equal(decode(stream, count), symbols)


def test_no_code_starts_another() -> None:
    """The canonical codes of a skewed table, as text."""
    lengths = code_lengths(np.array([30, 1, 7, 2, 9, 0, 4]))
    codes = canonical_codes(lengths)
    words = [format(int(codes[s]), f"0{int(lengths[s])}b") for s in np.flatnonzero(lengths)]
    assert not any(a != b and b.startswith(a) for a in words for b in words)


@pytest.mark.parametrize("lengths", [[1, 1, 1], [2, 2, 2], [0, 0], [16, 1], [2]])
def test_a_table_that_is_no_complete_code_is_refused(lengths: list[int]) -> None:
    """Over-full, with gaps, empty, too long, or one symbol of two bits."""
    with pytest.raises(ValueError, match="prefix code"):
        canonical_codes(np.array(lengths, np.uint8))


def test_a_damaged_stream_is_refused_or_decodes_to_as_many_symbols() -> None:
    """Flipping any byte never crashes nor changes how many symbols there are."""
    symbols = np.random.default_rng(0).integers(0, 5, 300).astype(np.uint8)
    good = encode(symbols, np.array([1, 2, 3, 4, 4], np.uint8))
    refused = 0
    for place in range(len(good.data)):
        data = bytearray(good.data)
        data[place] ^= 0x5A
        try:
            assert len(decode(Stream(good.lengths, good.blocks, bytes(data)), 300)) == 300
        except ValueError:
            refused += 1
    assert refused > len(good.data) // 2
