"""Sparsity patterns against slow twins: exact counts, the best units, ties by position."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.patterns import (
    Mask,
    Scores,
    best,
    best_of_all,
    blocks,
    blocks_of,
    columns,
    kernels,
    n_of_m,
    n_of_m_left,
    rows,
    units_left,
)
from tests.methods.numerics.scores import scores, shares


def slow_best(values: list[float], count: int) -> list[bool]:
    """The twin: sort by score, then by place."""
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))
    return [i in order[:count] for i in range(len(values))]


def units_kept(mask: Mask, units: list[Mask]) -> int:
    """How many of the units are whole; fails where one is cut through."""
    states = [(mask[unit].all(), mask[unit].any()) for unit in units]
    assert all(whole == some for whole, some in states)
    return sum(int(whole) for whole, _ in states)


def parts(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[Mask]:
    """One boolean mask for every index along `axes`: the units of a granularity."""
    grid = np.indices(shape)
    made = []
    for index in np.ndindex(*(shape[a] for a in axes)):
        made.append(np.logical_and.reduce([grid[a] == i for a, i in zip(axes, index)]))
    return made


@pytest.mark.seed("han-magnitude", "collins-kohli")
@given(scores(), shares)
def test_single_weights_are_counted_exactly(values: Scores, share: float) -> None:
    """The count of zeros is the rounded share, and those that stay are the best, the earlier of equals."""
    mask = best(values, units_left(values.size, share))
    assert int((~mask).sum()) == round(round(1 - share, 12) * values.size)
    assert mask.reshape(-1).tolist() == slow_best(values.reshape(-1).tolist(), int(mask.sum()))


@given(st.lists(scores(), min_size=1, max_size=4), shares)
def test_one_threshold_serves_several_tensors(tensors: list[Scores], share: float) -> None:
    """Together they keep the count; each keeps its best; no other kept score is below one that went."""
    total = sum(t.size for t in tensors)
    count = max(len(tensors), units_left(total, share))
    masks = best_of_all(tensors, count)
    assert sum(int(m.sum()) for m in masks) == count
    assert all(m.reshape(-1)[t.argmax()] for t, m in zip(tensors, masks))
    flat = [np.where(np.arange(t.size) == t.argmax(), np.inf, t.reshape(-1)) for t in tensors]
    assert np.concatenate([m.reshape(-1) for m in masks]).tolist() == slow_best(np.concatenate(flat).tolist(), count)


@pytest.mark.seed("nm-sparsity")
@given(scores(), st.integers(1, 8), st.integers(0, 8))
def test_of_every_m_weights_exactly_n_stay(values: Scores, n: int, more: int) -> None:
    """Along the inputs, group by group the n best; a shorter rest keeps as many as it can up to n."""
    m, matrix = n + more, values.reshape(len(values), -1)
    mask = n_of_m(values, n, m)
    assert int(mask.sum()) == n_of_m_left(values.shape, n, m)
    for row, kept in zip(matrix.tolist(), mask.reshape(matrix.shape).tolist()):
        for start in range(0, len(row), m):
            assert kept[start : start + m] == slow_best(row[start : start + m], n)


@pytest.mark.seed("pruning-granularity")
@given(scores(), shares)
def test_every_granularity_removes_as_many_units_as_asked_for(values: Scores, share: float) -> None:
    """Outputs, columns of the unfolded matrix and kernels go whole, and in exactly the number asked for."""
    every = tuple(range(values.ndim))
    for made, axes in ((rows, (0,)), (columns, every[1:]), (kernels, (0, 1))):
        units = parts(values.shape, axes)
        count = units_left(len(units), share)
        assert units_kept(made(values, count), units) == count


@pytest.mark.seed("pruning-granularity", "row-column-pruning")
@given(scores(), shares)
def test_the_units_that_stay_are_worth_most(values: Scores, share: float) -> None:
    """By the sum of their scores; of equals the earlier."""
    for made, axes in ((rows, (0,)), (kernels, (0, 1))):
        units = parts(values.shape, axes)
        sums = [values[unit].sum() for unit in units]
        mask = made(values, units_left(len(units), share))
        kept = [s for s, unit in zip(sums, units) if mask[unit].all()]
        assert sum(kept) == pytest.approx(sum(sorted(sums)[::-1][: len(kept)]))


@pytest.mark.seed("pruning-granularity")
@given(scores(), st.integers(1, 9), st.integers(1, 9), shares)
def test_whole_blocks_go(values: Scores, height: int, width: int, share: float) -> None:
    """Exactly the count asked for; what no block covers stays; a block larger than the matrix is refused."""
    outputs, inputs = len(values), prod(values.shape[1:])
    if height > outputs or width > inputs:
        with pytest.raises(ValueError, match=f"no block of {height} x {width}"):
            blocks(values, height, width, 1)
        return
    count = units_left(blocks_of(values.shape, height, width), share)
    mask = blocks(values, height, width, count).reshape(outputs, inputs)
    down, across = outputs // height, inputs // width
    tiles = mask[: down * height, : across * width].reshape(down, height, across, width).swapaxes(1, 2)
    assert (tiles.all(axis=(2, 3)) == tiles.any(axis=(2, 3))).all()
    assert int(tiles.all(axis=(2, 3)).sum()) == count
    assert mask[down * height :].all()
    assert mask[:, across * width :].all()


@given(scores(), shares, shares)
def test_what_is_gone_goes_first(values: Scores, first: float, second: float) -> None:
    """Scores below zero mark what another mask took: a stricter request keeps a subset, still counted exactly."""
    weak, strong = max(first, second), min(first, second)
    units = (len(values), prod(values.shape[1:]), prod(values.shape[:2]))
    for made, count in zip((rows, columns, kernels), units):
        once = made(values, units_left(count, weak))
        twice = made(np.where(once, values, -1.0), units_left(count, strong))
        assert (twice <= once).all()
        assert (twice == made(values, units_left(count, strong))).all()


def test_scores_that_are_not_numbers_are_refused() -> None:
    """A mask that depends on them would be a silent wrong model."""
    values = np.array([[1.0, np.nan]])
    for made in (lambda: best(values, 1), lambda: n_of_m(values, 1, 2), lambda: rows(np.ones((2, 2)) * np.nan, 1)):
        with pytest.raises(ValueError, match="not a number"):
            made()


@pytest.mark.parametrize(("n", "m"), [(3, 2), (0, 4)])
def test_n_of_m_needs_n_between_one_and_m(n: int, m: int) -> None:
    """Three of two can't stay."""
    with pytest.raises(ValueError, match=f"{n} of every {m}"):
        n_of_m(np.ones((2, 4)), n, m)


def test_several_tensors_keep_at_least_one_weight_each() -> None:
    """Fewer weights than tensors are refused."""
    with pytest.raises(ValueError, match="1 weights for 2 tensors"):
        best_of_all([np.ones((2, 2)), np.ones((2, 2))], 1)
