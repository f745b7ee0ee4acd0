"""Hashed weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.hashing import bucket_values, expanded, hashed

SHAPES = st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple)
SEEDS = st.integers(0, 2**32 - 1)


def slow_code(row: int, column: int, seed: int) -> int:
    """The hash as its formula has it, in whole numbers."""
    h = (row * 0x9E3779B1 + column * 0x85EBCA77 + seed * 0xC2B2AE3D + 0x27D4EB2F) % 2**32
    h = (h ^ (h >> 16)) * 0x85EBCA6B % 2**32
    h = (h ^ (h >> 13)) * 0xC2B2AE35 % 2**32
    return h ^ (h >> 16)


@pytest.mark.seed("hashednets")
@given(SHAPES, st.floats(0, 1), SEEDS)
def test_places_hash_as_the_formula_says(shape: tuple[int, ...], share: float, seed: int) -> None:
    """Bucket and sign follow from row, column and seed alone, so that none of them need be stored."""
    count = max(1, int(share * np.prod(shape)))
    places = hashed(shape, count, seed)
    codes = [[slow_code(r, c, seed) for c in range(int(np.prod(shape[1:])))] for r in range(shape[0])]
    np.testing.assert_array_equal(
        places.indices.reshape(shape[0], -1), [[h * count >> 32 for h in row] for row in codes]
    )
    np.testing.assert_array_equal(places.signs.reshape(shape[0], -1), [[1 - 2 * (h & 1) for h in row] for row in codes])


@pytest.mark.seed("hashednets")
@given(SHAPES, st.floats(0, 1), SEEDS)
def test_a_weight_takes_values_of_its_buckets_only(shape: tuple[int, ...], share: float, seed: int) -> None:
    """At most as many sizes as buckets, and hashing what is hashed already changes nothing."""
    count = max(1, int(share * np.prod(shape)))
    weight = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    places = hashed(shape, count, seed)
    values = bucket_values(weight, places, count)
    made = expanded(values, places)
    assert set(np.abs(made).reshape(-1)) <= set(np.abs(values))
    np.testing.assert_allclose(expanded(bucket_values(made, places, count), places), made, atol=1e-6)


@given(SHAPES, st.floats(0, 1), SEEDS)
def test_bucket_values_are_the_least_squares_solution(shape: tuple[int, ...], share: float, seed: int) -> None:
    """What is left over, with the signs of its bucket, sums to nothing in every bucket."""
    count = max(1, int(share * np.prod(shape)))
    weight = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    places = hashed(shape, count, seed)
    left = (weight - expanded(bucket_values(weight, places, count), places)) * places.signs
    sums = np.bincount(places.indices.reshape(-1), left.reshape(-1), count)
    np.testing.assert_allclose(sums, 0, atol=1e-3)


def test_buckets_and_signs_are_even() -> None:
    """A hundred thousand weights over a hundred buckets: each within a fifth of a thousand, half the signs minus."""
    places = hashed((250, 400), 100, 7)
    members = np.bincount(places.indices.reshape(-1), minlength=100)
    assert 800 < members.min() < members.max() < 1200
    assert abs(float(places.signs.mean())) < 0.02


@pytest.mark.parametrize(("buckets", "seed"), [(0, 0), (13, 0), (3, -1), (3, 2**32)])
def test_what_can_not_be_hashed_is_refused(buckets: int, seed: int) -> None:
    """More buckets than weights, none, or a seed of more than 32 bits."""
    with pytest.raises(ValueError, match="takes 1 to 12 buckets"):
        hashed((3, 4), buckets, seed)
