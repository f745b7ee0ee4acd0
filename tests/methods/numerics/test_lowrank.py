"""Low-rank factors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.numerics import lowrank
from methods.numerics.lowrank import directions, factorise, factorise_for, rank_for_energy


@pytest.mark.parametrize("shape", [(12, 30), (30, 12), (8, 3, 3, 3)])
@pytest.mark.parametrize("rank", [1, 5, 8])
def test_factors_are_the_best_of_their_rank(shape: tuple[int, ...], rank: int) -> None:
    """Their error is that of the singular values left out (Eckart and Young), and the one they report."""
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    matrix = weight.reshape(shape[0], -1)
    singular = np.linalg.svd(matrix, compute_uv=False)
    best = np.sqrt(np.square(singular[rank:]).sum() / np.square(singular).sum())
    found = factorise(weight, rank)
    error = np.linalg.norm(found.u @ found.v - matrix) / np.linalg.norm(matrix)
    assert found.u.shape == (shape[0], rank)
    assert error == pytest.approx(best, abs=1e-6)
    assert found.error == pytest.approx(best, abs=1e-6)


def test_the_fast_way_for_large_matrices_comes_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random directions find a decaying spectrum to within 1 % of the exact error."""
    random = np.random.default_rng(0)
    decay = 0.97 ** np.arange(200)
    weight = (random.standard_normal((200, 200)) * decay @ random.standard_normal((200, 300))).astype(np.float32)
    exact = factorise(weight, 40).error
    monkeypatch.setattr(lowrank, "EXACT_UP_TO", 10)
    assert factorise(weight, 40).error == pytest.approx(exact, rel=0.01)


def test_outputs_decide_which_directions_stay() -> None:
    """Inputs that vary in two directions only are reproduced with rank 2, which the weight alone doesn't allow."""
    random = np.random.default_rng(0)
    weight = random.standard_normal((10, 20)).astype(np.float32)
    inputs = random.standard_normal((100, 2)) @ random.standard_normal((2, 20))
    outputs = (inputs @ weight.T).astype(np.float32)
    found, plain = factorise_for(weight, outputs, 2), factorise(weight, 2)
    assert np.linalg.norm(inputs @ (found.u @ found.v).T - outputs) < 0.01 * np.linalg.norm(outputs)
    assert np.linalg.norm(inputs @ (plain.u @ plain.v).T - outputs) > 0.3 * np.linalg.norm(outputs)


def test_a_layer_that_wrote_nothing_keeps_its_own_directions() -> None:
    """Outputs of zeros say nothing; then the weight alone decides."""
    weight = np.random.default_rng(0).standard_normal((10, 20)).astype(np.float32)
    found, plain = factorise_for(weight, np.zeros((50, 10), np.float32), 4), factorise(weight, 4)
    np.testing.assert_allclose(found.u @ found.v, plain.u @ plain.v, atol=1e-5)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 1.0))
@settings(max_examples=40, deadline=None)
def test_the_lowest_rank_that_keeps_an_energy(rows: int, columns: int, share: float) -> None:
    """It keeps it, to rounding, and one less doesn't."""
    weight = np.random.default_rng(rows * columns).standard_normal((rows, columns)).astype(np.float32)
    rank = rank_for_energy(weight, share)
    assert factorise(weight, rank).error ** 2 <= 1 - share + 1e-6
    assert rank == 1 or factorise(weight, rank - 1).error ** 2 > 1 - share - 1e-6


def test_a_basis_is_orthonormal_where_directions_run_out() -> None:
    """A matrix of rank two, asked for five directions."""
    random = np.random.default_rng(0)
    matrix = random.standard_normal((8, 2)) @ random.standard_normal((2, 6))
    basis = directions(matrix, 5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-9)
    np.testing.assert_allclose(basis @ (basis.T @ matrix), matrix, atol=1e-9)


def test_a_rank_that_can_not_be_is_refused() -> None:
    """The message gives the ranks that can."""
    with pytest.raises(ValueError, match="rank 5 is outside 1 to 4"):
        factorise(np.ones((4, 6), np.float32), 5)
