"""Separable filters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from methods.numerics.separable import full_rank, separable_rank, separate

Floats = NDArray[np.float32]
SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))


def random(shape: tuple[int, ...], seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@given(SHAPES, st.data())
@settings(max_examples=40, deadline=None)
def test_the_error_is_the_tail_of_the_rearranged_kernels_spectrum(shape: tuple[int, ...], data: st.DataObject) -> None:
    """Rows are outputs and columns of the kernel, columns are inputs and rows of it: the global optimum."""
    weight, rank = random(shape), data.draw(st.integers(1, full_rank(shape)))
    rows = [
        [weight[o, c, i, j] for c in range(shape[1]) for i in range(shape[2])]
        for o in range(shape[0])
        for j in range(shape[3])
    ]
    singular = np.linalg.svd(np.array(rows), compute_uv=False)
    wanted = np.sqrt(np.square(singular[rank:]).sum() / np.square(singular).sum())
    made = separate(weight, rank)
    assert np.linalg.norm(made.weight() - weight) / np.linalg.norm(weight) == pytest.approx(wanted, abs=1e-5)
    assert made.error == pytest.approx(wanted, abs=1e-5)


def test_the_pair_sums_over_the_channels_between() -> None:
    """Each kernel is the sum of a column times a row for every one of them."""
    made = separate(random((4, 3, 5, 2)), 6)
    for o, c in np.ndindex(4, 3):
        kernel = sum(np.outer(made.v[r, c, :, 0], made.u[o, r, 0]) for r in range(6))
        np.testing.assert_allclose(made.weight()[o, c], kernel, atol=1e-5)


def test_the_fewest_channels_that_keep_an_energy() -> None:
    """One less keeps less than was asked for."""
    weight = random((6, 5, 3, 3)) * np.linspace(3, 0.1, 6, dtype=np.float32)[:, None, None, None]
    rank = separable_rank(weight, 0.9)
    assert separate(weight, rank).error ** 2 <= 0.1 < separate(weight, rank - 1).error ** 2
    assert separable_rank(weight, 1.0) == full_rank(weight.shape)
    assert separable_rank(np.zeros((4, 3, 3, 3), np.float32), 0.9) == 1
