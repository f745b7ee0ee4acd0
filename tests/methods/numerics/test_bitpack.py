"""Packed codes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.bitpack import pack, packed_bytes, unpack


@given(st.integers(1, 8), st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_packing_loses_nothing_and_takes_no_more_bits_than_it_says(bits: int, count: int, seed: int) -> None:
    """Any number of codes of any width comes back, from the fewest whole bytes."""
    codes = np.random.default_rng(seed).integers(0, 2**bits, count).astype(np.uint8)
    data = pack(codes, bits)
    assert len(data) == packed_bytes(count, bits) == (count * bits + 7) // 8
    np.testing.assert_array_equal(unpack(data, bits, count), codes)


def test_the_first_code_is_in_the_lowest_bits() -> None:
    """The layout that files rely on: 3-bit codes 1, 2, 7 are 0b111_010_001 over two bytes."""
    assert pack(np.array([1, 2, 7], np.uint8), 3) == bytes([0b11010001, 0b1])


def test_a_code_that_does_not_fit_is_refused() -> None:
    """Nothing is cut off silently."""
    with pytest.raises(ValueError, match="8 does not fit into 3 bits; the largest is 7"):
        pack(np.array([1, 8], np.uint8), 3)


@pytest.mark.parametrize("size", [4, 6])
def test_data_of_another_length_is_refused(size: int) -> None:
    """Too short or too long for the codes that should be in it."""
    with pytest.raises(ValueError, match=f"take 5 bytes, not {size}"):
        unpack(bytes(size), 5, 8)
