"""Masks: exact, and in the smallest of their forms."""

from __future__ import annotations

from math import comb, log2, prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from methods.storage import positions
from methods.storage.positions import ALL, BITMAP, GAPS, GAPS_TURNED, GROUPS_IN, GROUPS_KERNEL, NONE, UNFOLDED
from methods.storage.symbols import encode_places, size_of
from tests.methods.storage.helpers import part

RANDOM = np.random.default_rng(0)


def round_trip(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask that comes back."""
    found: NDArray[np.bool_] = part(positions.encode(mask), lambda reader: positions.decode(reader, mask.shape))
    return found


def mode(mask: NDArray[np.bool_]) -> int:
    """Which form was chosen, without whether it was made smaller first."""
    head: Any = positions.encode(mask)[0]
    return int(head[0]) % UNFOLDED


def n_of_m(rows: int, groups: int, kept: int, m: int) -> NDArray[np.bool_]:
    """Exactly `kept` of every `m` along the last axis."""
    return (np.argsort(RANDOM.random((rows, groups, m)), -1) < kept).reshape(rows, groups * m)


def entropy(share: float) -> float:
    """Bits of one place that is kept with that chance."""
    return -share * log2(share) - (1 - share) * log2(1 - share)


@pytest.mark.seed("sparse-storage")
@given(st.lists(st.integers(1, 9), max_size=4), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_masks_come_back(shape: list[int], share: float, seed: int) -> None:
    """Of any shape and density."""
    mask = np.asarray(np.random.default_rng(seed).random(tuple(shape)) < share)
    assert np.array_equal(round_trip(mask), mask)


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([(1, 2), (2, 4), (4, 8), (3, 5)]), st.integers(1, 9))
def test_grouped_and_repeated_masks_come_back(rows: int, groups: int, rule: tuple[int, int], times: int) -> None:
    """N:M along inputs of a convolution, and the same with every entry repeated into blocks."""
    mask = np.repeat(n_of_m(rows, groups, *rule)[:, :, None], times, axis=2)
    assert np.array_equal(round_trip(mask), mask)
    blocks = np.repeat(np.repeat(mask, 4, axis=0), 2, axis=1)
    cut = blocks[: 4 * rows - 1, 1:]
    assert np.array_equal(round_trip(blocks), blocks)
    assert np.array_equal(round_trip(cut), cut)


FORMS = {
    "all": (np.ones((9, 7), bool), ALL),
    "none": (np.zeros((9, 7), bool), NONE),
    "half": (RANDOM.random((61, 53)) < 0.5, BITMAP),
    "sparse": (RANDOM.random((61, 53)) < 0.08, GAPS),
    "dead inputs": ((RANDOM.random((400, 300)) < 0.3) & (RANDOM.random(300) < 0.2), GAPS_TURNED),
    "2:4": (n_of_m(64, 40, 2, 4), GROUPS_IN),
    "4:8": (n_of_m(64, 40, 4, 8), GROUPS_IN),
    "2:4 of unfolded inputs": (n_of_m(64, 45, 2, 4).reshape(64, 20, 3, 3), GROUPS_IN),
    "patterns": ((RANDOM.random((6, 3, 3)) < 0.5)[RANDOM.integers(0, 6, (40, 30))], GROUPS_KERNEL),
}


@pytest.mark.seed("sparse-storage")
@pytest.mark.parametrize("name", FORMS)
def test_the_form_is_the_smallest_of_the_candidates(name: str) -> None:
    """Each kind of mask gets the form that is made for it, no larger than a bitmap or the best gaps."""
    mask, expected = FORMS[name]
    assert mode(mask) == expected
    flat = [size_of(encode_places(mask.reshape(-1))), mask.size // 8]
    assert size_of(positions.encode(mask)) <= 4 + min(flat)
    assert np.array_equal(round_trip(mask), mask)


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.3])
def test_free_masks_come_near_their_entropy(share: float) -> None:
    """Within 4 % and a table of the fewest bits that any code of independent places takes."""
    mask = RANDOM.random((512, 512)) < share
    assert size_of(positions.encode(mask)) < 1.04 * mask.size * entropy(float(mask.mean())) / 8 + 80


@pytest.mark.parametrize(("kept", "m"), [(1, 4), (2, 4), (2, 8), (4, 8)])
def test_groups_come_near_the_count_of_their_patterns(kept: int, m: int) -> None:
    """Within 6 % and a table of log2(C(M, N)) bits a group."""
    mask = n_of_m(256, 128, kept, m)
    assert size_of(positions.encode(mask)) < 1.06 * mask.size / m * log2(comb(m, kept)) / 8 + 120


def test_whole_kernels_rows_and_blocks_cost_what_their_outline_costs() -> None:
    """9 times as many places, or 16, take the same bytes but for the factors."""
    outline = RANDOM.random((60, 40)) < 0.3
    plain = size_of(positions.encode(outline))
    kernels = np.repeat(outline[:, :, None], 9, axis=2).reshape(60, 40, 3, 3)
    blocks = np.repeat(np.repeat(outline, 4, axis=0), 4, axis=1)
    cut = np.repeat(np.repeat(outline, 4, axis=0), 4, axis=1)[:239, :158]
    rows = np.repeat(outline[:, :1], 1000, axis=1)
    assert size_of(positions.encode(kernels)) <= plain + 4
    assert size_of(positions.encode(blocks)) <= plain + 4
    assert size_of(positions.encode(cut)) <= plain + 4
    assert size_of(positions.encode(rows)) <= 60 // 8 + 8
    assert prod(rows.shape) == 60_000
