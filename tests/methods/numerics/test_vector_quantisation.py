"""Vector quantisation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.numerics.vector_quantisation import cluster_vectors, product_quantised, residual_quantised

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 4))


def drawn(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def squares(left: np.ndarray) -> float:
    return float(np.square(left, dtype=np.float64).sum())


@pytest.mark.seed("kmeans-vq")
@given(SIZES, st.integers(1, 9), st.integers(0, 99))
def test_every_vector_gets_its_nearest_of_few(shape: tuple[int, int], count: int, seed: int) -> None:
    """At most `count` different ones, the same for the same seed."""
    vectors = drawn(shape, seed)
    found = cluster_vectors(vectors, count, seed)
    assert len(np.unique(found.vectors, axis=0)) <= len(found.centres) <= count
    apart = np.square(vectors[:, None] - found.centres[None]).sum(2)
    np.testing.assert_allclose(apart[np.arange(len(vectors)), found.indices], apart.min(1), atol=1e-5)
    np.testing.assert_array_equal(found.centres, cluster_vectors(vectors, count, seed).centres)


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_two_centres_are_not_far_from_the_best(seed: int) -> None:
    """Of all ways to part seven vectors, none has half the error."""
    vectors = drawn((7, 2), seed)
    parts = [np.array(p, bool) for p in product((0, 1), repeat=7) if 0 < sum(p) < 7]
    best = min(sum(squares(vectors[s] - vectors[s].mean(0)) for s in (p, ~p)) for p in parts)
    assert squares(cluster_vectors(vectors, 2, seed).vectors - vectors) < 2 * best + 1e-6


@pytest.mark.seed("kmeans-vq")
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_each_place_has_a_codebook_of_its_own(rows: int, places: int, length: int, count: int) -> None:
    """At most `count` different sub-vectors in each column of them; as many as rows give the weight back."""
    weight = drawn((rows, places * length), rows + count)
    made = product_quantised(weight, length, count).reshape(rows, places, length)
    assert max(len(np.unique(made[:, place], axis=0)) for place in range(places)) <= count
    np.testing.assert_array_equal(product_quantised(weight, length, rows), weight)


@pytest.mark.seed("kmeans-vq")
def test_more_residual_rounds_leave_less_over() -> None:
    """Strictly, as long as anything is left."""
    weight = drawn((32, 16), 0)
    left = [squares(residual_quantised(weight, 4, 8, rounds) - weight) for rounds in range(4)]
    assert left[0] > left[1] > left[2] > left[3]


@pytest.mark.parametrize("length", [0, 3, 9])
def test_pieces_that_do_not_divide_a_row_are_refused(length: int) -> None:
    """With the shape."""
    with pytest.raises(ValueError, match=r"sub-vectors of \d don't divide .* \(4, 8\)"):
        product_quantised(drawn((4, 8), 0), length, 2)


@pytest.mark.parametrize("vectors", [np.zeros((0, 2), np.float32), np.full((3, 2), np.nan, np.float32)])
def test_vectors_that_can_not_be_clustered_are_refused(vectors: np.ndarray) -> None:
    """None, or numbers that are not finite."""
    with pytest.raises(ValueError, match="cannot find 2 centres"):
        cluster_vectors(vectors, 2)
