"""Full numbers, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from methods.storage import numbers
from methods.storage.numbers import BOOK, DEFLATED, HALF, RAW
from methods.storage.symbols import size_of
from tests.methods.storage.helpers import part, same_bits

KINDS = [name for name in numbers.TYPES if name != "bfloat16"]
RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.standard_normal(9000).astype(np.float32)


def round_trip(array: NDArray[Any]) -> NDArray[Any]:
    """What comes back, flat."""
    found: NDArray[Any] = part(
        numbers.encode(array), lambda reader: numbers.decode(reader, array.dtype.name, array.size)
    )
    return found


@given(st.sampled_from(KINDS).flatmap(lambda kind: arrays.arrays(np.dtype(kind), st.integers(0, 60))))
def test_any_numbers_come_back(array: NDArray[Any]) -> None:
    """Every type, with NaN, infinities and negative zeros as they are."""
    assert same_bits(round_trip(array), array.reshape(-1))


ROWS: dict[str, tuple[NDArray[Any], int, int]] = {
    "noise": (NORMAL, RAW, 1 + 4 * 9000),
    "exact in 16 bits": (NORMAL.astype(np.float16).astype(np.float32), HALF, 1 + 2 * 9000),
    "one number": (np.full(9000, 0.1, np.float32), BOOK, 1 + 1 + 4 + 2),
    "three numbers": (NORMAL[:3][np.arange(9000) % 3], BOOK, 2 + 12 + 1 + 9000 // 4),
    "short zeros": (np.zeros(50, np.int64), DEFLATED, 10),
    "short counts": (np.arange(600, dtype=np.int64), DEFLATED, 600 * 8 // 4),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_smallest_way_is_taken(name: str) -> None:
    """Raw, half, a book, or deflated; never larger than expected of it."""
    array, mode, size = ROWS[name]
    pieces = numbers.encode(array)
    assert isinstance(pieces[0], bytes)
    assert pieces[0][0] == mode
    assert size_of(pieces) <= size
    assert same_bits(round_trip(array), array)


def test_half_is_used_only_where_no_bit_is_lost() -> None:
    """A single number that float16 can't hold, or a NaN with bits of its own, keeps all in 32 bits."""
    exact = NORMAL.astype(np.float16).astype(np.float32)
    for odd in (np.float32(0.1), np.float32(70_000), np.uint32(0x7FC00001).view(np.float32)):
        changed = exact.copy()
        changed[77] = odd
        assert same_bits(round_trip(changed), changed)
        assert bytes(numbers.encode(changed)[0])[0] == RAW  # type: ignore[arg-type]
