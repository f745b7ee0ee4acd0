"""The rank by variational Bayesian matrix factorisation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from methods.numerics.vbmf import noise_variance, threshold, vbmf_rank

Matrix = NDArray[np.float64]


def planted(shape: tuple[int, int], rank: int, strength: float, seed: int) -> Matrix:
    """A matrix of `rank` directions of equal `strength`, with white noise of variance 1."""
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.standard_normal((shape[0], max(1, rank))))[0][:, :rank]
    right = np.linalg.qr(random.standard_normal((shape[1], max(1, rank))))[0][:, :rank]
    return strength * left @ right.T + random.standard_normal(shape)


def rank_of(matrix: Matrix) -> int:
    return vbmf_rank(np.linalg.svd(matrix, compute_uv=False), (matrix.shape[0], matrix.shape[1]))


@given(st.integers(20, 60), st.integers(20, 60), st.integers(0, 6), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_strong_directions_are_counted_and_noise_is_not(rows: int, columns: int, rank: int, seed: int) -> None:
    """Directions three times as strong as the largest that noise makes; either way round, at any scale."""
    matrix = planted((rows, columns), rank, 3 * (rows**0.5 + columns**0.5), seed)
    assert rank_of(matrix) == rank_of(matrix.T) == rank_of(1e-3 * matrix) == rank


def free_energy(matrix: Matrix, kept: int, variance: float) -> float:
    """Twice the free energy with `kept` directions, each with its best prior, by theorem: a sum over singular values.

    A direction that stays, of singular value g, has the posterior strength s and the prior product c that solve
    s = g / 2 (1 - (l + m) v / g^2 + root), c = s g / (l m).
    """
    short, long = sorted(matrix.shape)
    values = np.linalg.svd(matrix, compute_uv=False)
    energy = short * long * np.log(2 * np.pi * variance) + float(np.square(values).sum()) / variance
    for g in values[:kept]:
        part = 1 - (short + long) * variance / g**2
        strength = g / 2 * (part + np.sqrt(part**2 - 4 * short * long * variance**2 / g**4))
        energy += long * np.log(g * strength / (long * variance) + 1) + short * np.log(
            g * strength / (short * variance) + 1
        )
        energy -= g * strength / variance
    return float(energy)


@pytest.mark.parametrize("shape", [(20, 50), (30, 30)])
def test_no_other_rank_and_variance_have_a_lower_free_energy(shape: tuple[int, int]) -> None:
    """Against every rank at which the posterior exists, and variances on both sides of the one that was found."""
    matrix = planted(shape, 4, 2.2 * (shape[0] ** 0.5 + shape[1] ** 0.5), 1)
    values = np.linalg.svd(matrix, compute_uv=False)
    short, long = sorted(shape)
    variance, rank = noise_variance(np.square(values), short, long), rank_of(matrix)
    best = free_energy(matrix, rank, variance)
    for factor in (0.8, 0.95, 1.0, 1.05, 1.25):
        exist = [
            h for h in range(short) if h == 0 or values[h - 1] > np.sqrt(factor * variance) * (short**0.5 + long**0.5)
        ]
        assert all(free_energy(matrix, h, factor * variance) >= best - 1e-6 * abs(best) for h in exist)


def test_the_threshold_is_that_of_the_paper() -> None:
    """Its approximation, 2.5129 times the root of the ratio, is close for square matrices (where it was fitted)."""
    t = 2.5129
    assert threshold(1.0) == pytest.approx((1 + t) * (1 + 1 / t), rel=1e-4)
    assert threshold(0.1) > (1 + 0.1**0.5) ** 2


def test_a_matrix_of_nothing_has_no_directions() -> None:
    """Zeros, and one single row."""
    assert rank_of(np.zeros((5, 4))) == 0
    assert rank_of(np.ones((1, 6))) in (0, 1)
