"""Gaps between the places of a sparse row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.sparse_index import candidates, from_gaps, to_gaps


def slow_gaps(mask: list[bool], bits: int) -> list[int]:
    """Symbol by symbol, as the module says it."""
    filler, symbols, skipped = (1 << bits) - 1, [], 0
    for kept in mask:
        if kept:
            symbols += [filler] * (skipped // filler) + [skipped % filler]
        skipped = 0 if kept else skipped + 1
    return symbols


MASKS = st.lists(st.sampled_from([False] * 9 + [True]), max_size=400)


@given(MASKS, st.integers(2, 8))
def test_places_come_back_and_symbols_are_those_of_the_slow_twin(mask: list[bool], bits: int) -> None:
    """Any row, empty ones and such without a place included, at any width."""
    gaps = to_gaps(np.array(mask, dtype=bool), bits)
    assert gaps.tolist() == slow_gaps(mask, bits)
    assert from_gaps(gaps, bits, len(mask)).tolist() == [i for i, kept in enumerate(mask) if kept]


@given(MASKS)
def test_what_each_width_would_take_is_counted_exactly(mask: list[bool]) -> None:
    """The counts of every width are those of the symbols that it gives."""
    row = np.array(mask, dtype=bool)
    for bits, counts in candidates(row).items():
        assert counts.tolist() == np.bincount(to_gaps(row, bits), minlength=1 << bits).tolist()


@pytest.mark.seed("sparse-storage")
def test_a_gap_that_overflows_is_bridged_by_fillers() -> None:
    """The example of the paper's figure: 3-bit indices, entries at 1, 4 and 15 of 16, one filler of 7 in between."""
    mask = np.zeros(16, dtype=bool)
    mask[[1, 4, 15]] = True
    assert to_gaps(mask, 3).tolist() == [1, 2, 7, 3]
    assert from_gaps(np.array([1, 2, 7, 3], np.uint8), 3, 16).tolist() == [1, 4, 15]


@pytest.mark.parametrize(("gaps", "count"), [([3], 3), ([7, 7], 99), ([8], 99), ([0, 0, 1], 3)])
def test_gaps_that_lead_outside_or_nowhere_are_refused(gaps: list[int], count: int) -> None:
    """Past the end, a filler at the end, a symbol wider than its bits."""
    with pytest.raises(ValueError, match=r"place|gap"):
        from_gaps(np.array(gaps, np.uint8), 3, count)


@pytest.mark.parametrize("bits", [1, 9])
def test_widths_that_no_file_has_are_refused(bits: int) -> None:
    """2 to 8 bits."""
    with pytest.raises(ValueError, match="2 to 8 bits"):
        to_gaps(np.ones(3, dtype=bool), bits)
