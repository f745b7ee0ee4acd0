"""Sparsity inside kernels: strided places, a set of patterns, connectivity."""

from __future__ import annotations

from collections import Counter
from math import prod

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from methods.numerics.kernel_patterns import (
    connected,
    fit_patterns,
    frequent_patterns,
    pattern_kernels,
    strided,
    strided_left,
)
from methods.numerics.patterns import Scores, units_left
from tests.methods.numerics.scores import scores, shares


@pytest.mark.seed("intra-kernel-strided", "pruning-granularity")
@given(scores(spatial=True), st.integers(1, 5), st.integers(0, 4))
def test_strided_places_are_the_same_in_every_kernel(values: Scores, stride: int, offset: int) -> None:
    """Coordinates n, n + m, ... along each axis, in all kernels of the layer."""
    assume(stride <= max(values.shape[2:]) and offset < min(stride, *values.shape[2:]))
    mask = strided(values, stride, offset)
    places = {(i, j) for i, j in np.ndindex(*values.shape[2:]) if i % stride == offset and j % stride == offset}
    assert all(
        {(int(i), int(j)) for i, j in np.argwhere(kernel)} == places for kernel in mask.reshape(-1, *mask.shape[2:])
    )
    assert strided_left(values.shape[2:], stride, offset) == len(places)


@given(scores(spatial=True), st.integers(1, 5))
def test_the_offset_is_the_best_of_those_that_keep_most(values: Scores, stride: int) -> None:
    """Without one given, no other offset that keeps as many places keeps more of the scores."""
    kernel = values.shape[2:]
    assume(stride <= max(kernel))
    mask = strided(values, stride)
    most = strided_left(kernel, stride)
    assert int(mask[0, 0].sum()) == most
    others = [
        strided(values, stride, n) for n in range(min(stride, *kernel)) if strided_left(kernel, stride, n) == most
    ]
    assert values[mask].sum() == pytest.approx(max(values[other].sum() for other in others))


@pytest.mark.seed("patdnn")
@given(scores(spatial=True), st.integers(1, 6), st.integers(1, 6))
def test_every_kernel_has_one_of_the_most_frequent_patterns(values: Scores, entries: int, count: int) -> None:
    """The set is the most frequent best masks; each kernel has the one of them that keeps most."""
    assume(entries <= prod(values.shape[2:]))
    flat = values.reshape(-1, prod(values.shape[2:]))
    best_masks = [tuple(sorted(sorted(range(len(k)), key=lambda i: (-k[i], i))[:entries])) for k in flat.tolist()]
    votes = Counter(best_masks)
    expected = sorted(votes, key=lambda places: (-votes[places], places))[:count]
    found = frequent_patterns(values, entries, count).reshape(-1, flat.shape[1])
    assert [tuple(np.flatnonzero(p).tolist()) for p in found] == expected
    kept = pattern_kernels(values, entries, count).reshape(flat.shape)
    for kernel, mask in zip(flat, kept):
        assert tuple(np.flatnonzero(mask).tolist()) in expected
        assert kernel[mask].sum() == pytest.approx(max(kernel[list(places)].sum() for places in expected))


@pytest.mark.seed("patdnn")
@given(scores(spatial=True), shares)
def test_connectivity_pruning_takes_whole_kernels(values: Scores, share: float) -> None:
    """Exactly the count asked for, those worth least under their patterns; the others keep their patterns."""
    patterns = pattern_kernels(values, 1, 3)
    count = units_left(prod(values.shape[:2]), share)
    mask = connected(values, patterns, count)
    alive = mask.any(axis=(2, 3))
    assert int(alive.sum()) == count
    assert (mask == patterns & alive[:, :, None, None]).all()
    sums = np.where(patterns, values, 0).sum(axis=(2, 3))
    assert alive.all() or not alive.any() or sums[alive].min() >= sums[~alive].max()


@given(scores(spatial=True), st.integers(1, 4), st.integers(1, 4))
def test_patterns_of_what_is_left_are_the_same(values: Scores, entries: int, count: int) -> None:
    """Looking again at scores that were masked finds the same mask, where no two weights are equal."""
    assume(entries <= prod(values.shape[2:]) and len(np.unique(values)) == values.size)
    mask = pattern_kernels(values, entries, count)
    assert (pattern_kernels(np.where(mask, values, 0.0), entries, count) == mask).all()
    half = connected(values, mask, prod(values.shape[:2]) // 2)
    again = pattern_kernels(np.where(half, values, 0.0), entries, count)
    assert (again[half]).all()


def test_kernels_that_are_gone_do_not_vote() -> None:
    """Patterns are those of the kernels that have something left."""
    values = np.zeros((3, 1, 1, 4))
    values[2, 0, 0] = [1, 2, 4, 3]
    assert frequent_patterns(values, 2, 1).tolist() == [[[False, False, True, True]]]
    assert fit_patterns(values, frequent_patterns(values, 2, 1)).sum() == 6


def test_a_kernel_without_such_places_is_refused() -> None:
    """A stride past the kernel, more entries than it has, a linear layer."""
    values = np.ones((2, 2, 3, 3))
    for made in (lambda: strided(values, 4), lambda: strided(values, 2, 2), lambda: strided(np.ones((2, 2)), 2)):
        with pytest.raises(ValueError, match="a kernel of"):
            made()
    with pytest.raises(ValueError, match="can't keep 10 weights"):
        pattern_kernels(values, 10, 8)
