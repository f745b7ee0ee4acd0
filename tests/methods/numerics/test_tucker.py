"""Tucker-2 of a weight."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from methods.numerics.tucker import full_ranks, tucker2, vbmf_ranks


def random(shape: tuple[int, ...], seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def relative(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3))


@given(SHAPES, st.data())
@settings(max_examples=40, deadline=None)
def test_the_error_keeps_the_bound_of_the_unfoldings(shape: tuple[int, ...], data: st.DataObject) -> None:
    """What is reported is what is lost; with or without iteration it is at most what both unfoldings lose together."""
    r_in, r_out = (data.draw(st.integers(1, most)) for most in full_ranks(shape))
    weight = random(shape)
    for rounds in (0, 2):
        made = tucker2(weight, r_in, r_out, rounds)
        assert made.core.shape == (r_out, r_in, *shape[2:])
        assert made.error == pytest.approx(relative(made.weight(), weight), abs=1e-5)
        assert made.error <= made.bound + 1e-6


@given(SHAPES)
@settings(max_examples=20, deadline=None)
def test_full_ranks_are_exact(shape: tuple[int, ...]) -> None:
    """Also where one channel mode is longer than the other one allows."""
    weight = random(shape)
    assert relative(tucker2(weight, *full_ranks(shape)).weight(), weight) < 1e-5


def test_projections_one_by_one_give_the_same() -> None:
    """Without iteration: the leading left singular vectors of each unfolding, one entry of the core at a time."""
    weight = random((6, 5, 3, 2))
    u = np.linalg.svd(weight.reshape(6, -1))[0][:, :3]
    v = np.linalg.svd(weight.transpose(1, 0, 2, 3).reshape(5, -1))[0][:, :2]
    plain = np.zeros_like(weight)
    for i, j in np.ndindex(3, 2):
        plain[:, :, i, j] = u @ (u.T @ weight[:, :, i, j] @ v) @ v.T
    np.testing.assert_allclose(tucker2(weight, 2, 3, rounds=0).weight(), plain, atol=1e-5)


def test_iteration_only_lowers_the_error() -> None:
    """Round by round, on a weight whose modes depend on each other."""
    weight = random((12, 10, 3, 3), seed=3)
    errors = [tucker2(weight, 3, 4, rounds).error for rounds in range(4)]
    assert all(after <= before + 1e-7 for before, after in pairwise(errors))
    assert errors[-1] < errors[0] - 1e-4


def test_a_weight_of_low_rank_keeps_only_that() -> None:
    """Where the weight has fewer directions than are asked for, the rest are orthogonal and hold nothing."""
    core = random((2, 3, 3, 3), seed=1)
    weight = np.einsum("ra,rskl,sb->abkl", random((2, 8)), core, random((3, 7))).astype(np.float32)
    for ranks in ((3, 2), (7, 8), (5, 4)):
        assert relative(tucker2(weight, *ranks).weight(), weight) < 1e-5


def test_variational_bayes_finds_planted_ranks() -> None:
    """In a weight of known ranks with noise on it; in noise alone there is nothing, which leaves one direction."""
    core = random((5, 3, 3, 3), seed=2)
    weight = np.einsum("ra,rskl,sb->abkl", random((5, 40)), core, random((3, 30)))
    noisy = (weight + random((40, 30, 3, 3), seed=4)).astype(np.float32)
    assert vbmf_ranks(noisy) == (3, 5)
    assert vbmf_ranks(random((40, 30, 3, 3), seed=5)) == (1, 1)


@pytest.mark.parametrize(("r_in", "r_out"), [(0, 1), (6, 1), (1, 7)])
def test_ranks_that_can_not_be_are_refused(r_in: int, r_out: int) -> None:
    """The message gives those that can."""
    with pytest.raises(ValueError, match=r"rank \d is outside 1 to [56]"):
        tucker2(random((6, 5, 3, 3)), r_in, r_out)
