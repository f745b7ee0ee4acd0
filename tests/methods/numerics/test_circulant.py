"""Block-circulant weights."""

from __future__ import annotations

from math import prod

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.circulant import best_columns, blocks_shape, diagonals, expanded, product, random_flips

MATRICES = st.tuples(st.integers(1, 12), st.integers(1, 12))
KERNELS = st.lists(st.integers(1, 3), max_size=2).map(tuple)
SEEDS = st.integers(0, 2**31)


def case(shape: tuple[int, ...], place: int, seed: int) -> tuple[torch.Tensor, int, torch.Tensor]:
    """A random weight, a block that it can have, and flips."""
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return weight, 1 + place % max(shape[:2]), random_flips(shape[1], seed)


def slow(columns: torch.Tensor, shape: tuple[int, ...], flips: torch.Tensor) -> torch.Tensor:
    """The expansion, entry by entry as the formula has it."""
    weight, block = torch.zeros(shape[0], shape[1], prod(shape[2:])), columns.shape[-1]
    for r in range(shape[0]):
        for c in range(shape[1]):
            weight[r, c] = columns[:, r // block, c // block, (r - c) % block] * flips[c]
    return weight.reshape(shape)


@pytest.mark.seed("circulant-projection")
@given(MATRICES, st.integers(0, 20), SEEDS)
def test_the_product_by_fourier_transforms_is_that_of_the_expansion(
    shape: tuple[int, int], place: int, seed: int
) -> None:
    """To 1e-5, for blocks that divide the weight and for those that don't."""
    weight, block, flips = case(shape, place, seed)
    columns = best_columns(weight, block, flips)
    inputs = torch.randn(3, shape[1], generator=torch.Generator().manual_seed(seed + 1))
    expected = inputs @ expanded(columns, shape, flips).T
    torch.testing.assert_close(product(columns, inputs, flips, shape[0]), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.seed("circulant-projection")
@given(st.integers(1, 40), SEEDS)
def test_a_square_weight_as_one_block_has_as_many_parameters_as_a_side(side: int, seed: int) -> None:
    """d for d x d, and the weight is circ(r) D: each row is the one above moved by one, before the signs."""
    weight, _, flips = case((side, side), 0, seed)
    columns = best_columns(weight, side, flips)
    assert columns.numel() == side
    matrix = expanded(columns, (side, side), flips) * flips
    torch.testing.assert_close(matrix[1:], matrix[:-1].roll(1, dims=1))


@given(MATRICES, KERNELS, st.integers(0, 20), SEEDS)
def test_the_expansion_follows_the_formula(
    sides: tuple[int, int], kernel: tuple[int, ...], place: int, seed: int
) -> None:
    """Entry by entry, for kernels of any size."""
    weight, block, flips = case((*sides, *kernel), place, seed)
    columns = best_columns(weight, block, flips)
    assert columns.shape == blocks_shape((*sides, *kernel), block)
    torch.testing.assert_close(expanded(columns, (*sides, *kernel), flips), slow(columns, (*sides, *kernel), flips))


@given(MATRICES, KERNELS, st.integers(0, 20), SEEDS)
def test_columns_are_the_least_squares_solution(
    sides: tuple[int, int], kernel: tuple[int, ...], place: int, seed: int
) -> None:
    """What is left over is at right angles to every block-circulant weight; projecting twice changes nothing."""
    weight, block, flips = case((*sides, *kernel), place, seed)
    made = expanded(best_columns(weight, block, flips), tuple(weight.shape), flips)
    other = torch.randn(blocks_shape((*sides, *kernel), block), generator=torch.Generator().manual_seed(seed + 1))
    left = (weight - made) * expanded(other, tuple(weight.shape), flips)
    assert abs(float(left.sum())) < 1e-3
    torch.testing.assert_close(expanded(best_columns(made, block, flips), tuple(weight.shape), flips), made)


def test_gradients_of_the_fast_product_are_those_of_the_expansion() -> None:
    """At the columns: the sum over each wrapped diagonal."""
    weight, _, flips = case((6, 9), 0, 1)
    columns = [best_columns(weight, 4, flips).requires_grad_() for _ in range(2)]
    inputs = torch.randn(5, 9)
    product(columns[0], inputs, flips, 6).square().sum().backward()
    (inputs @ expanded(columns[1], (6, 9), flips).T).square().sum().backward()
    torch.testing.assert_close(columns[0].grad, columns[1].grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("block", [0, 7])
def test_a_block_larger_than_the_weight_is_refused(block: int) -> None:
    """With the sizes that it may have."""
    with pytest.raises(ValueError, match=r"\(4, 6\) takes circulant blocks of 1 to 6"):
        diagonals((4, 6), block)
