"""Depthwise and pointwise pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from methods.numerics.depthwise import decouple, decouple_for

SHAPES = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(1, 4), st.integers(1, 4))


@given(SHAPES)
@settings(max_examples=40, deadline=None)
def test_each_input_channel_gets_its_best_filter(shape: tuple[int, ...]) -> None:
    """What is lost is, channel by channel, all but the first singular value of its filters."""
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    pair = decouple(weight)
    for channel in range(shape[1]):
        filters = weight[:, channel].reshape(shape[0], -1)
        lost = np.linalg.norm(pair.weight()[:, channel].reshape(shape[0], -1) - filters)
        assert lost == pytest.approx(np.linalg.norm(np.linalg.svd(filters, compute_uv=False)[1:]), abs=1e-4)
    assert pair.error == pytest.approx(np.linalg.norm(pair.weight() - weight) / np.linalg.norm(weight), abs=1e-4)


def correlated(rows: int, channels: int) -> NDArray[np.float32]:
    """Patches `[rows, channels * 9]` that vary in few directions."""
    random = np.random.default_rng(0)
    return (random.standard_normal((rows, 10)) @ random.standard_normal((10, channels * 9))).astype(np.float32)


def test_inputs_decide_the_mixing() -> None:
    """It is the least-squares answer for the filtered inputs, so less is lost on them; the filters stay."""
    weight = np.random.default_rng(0).standard_normal((8, 6, 3, 3)).astype(np.float32)
    inputs = correlated(400, 6)
    wanted = inputs @ weight.reshape(8, -1).T
    pairs = (decouple(weight), decouple_for(weight, inputs))
    filtered = np.einsum("ncp,cp->nc", inputs.reshape(400, 6, 9), pairs[0].depth.reshape(6, 9))
    best = np.linalg.lstsq(filtered, wanted, rcond=None)[0].T
    lost = [np.linalg.norm(filtered @ point.T - wanted) for point in (best, pairs[1].point, pairs[0].point)]
    assert lost[1] <= 1.01 * lost[0]
    assert lost[1] < 0.95 * lost[2]
    np.testing.assert_array_equal(pairs[0].depth, pairs[1].depth)


@pytest.mark.parametrize("rows", [1, 50])
def test_an_exact_pair_stays_as_it_is(rows: int) -> None:
    """Whatever the inputs are; also where they are all zero."""
    random = np.random.default_rng(1)
    weight = np.einsum("oc,ckl->ockl", random.standard_normal((5, 4)), random.standard_normal((4, 3, 3)))
    weight = weight.astype(np.float32)
    for inputs in (random.standard_normal((rows, 36)).astype(np.float32), np.zeros((rows, 36), np.float32)):
        np.testing.assert_allclose(decouple_for(weight, inputs).weight(), weight, atol=1e-5)


def test_a_weight_that_is_not_finite_is_refused() -> None:
    """It says so."""
    with pytest.raises(ValueError, match="not finite"):
        decouple(np.full((2, 2, 3, 3), np.nan, np.float32))
