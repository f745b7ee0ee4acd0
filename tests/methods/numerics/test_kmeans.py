"""k-means in one dimension."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from methods.numerics.kmeans import cluster
from methods.numerics.nearest import nearest

FLOATS = arrays(np.float32, st.integers(1, 60), elements=st.floats(-4, 4, width=16))


def squared_error(values: np.ndarray, count: int) -> float:
    clusters = cluster(values, count)
    return float(np.square(clusters.centres[clusters.indices] - values.astype(np.float64)).sum())


def best_error(values: np.ndarray, count: int) -> float:
    """The least error of all ways to cut the sorted values into intervals, tried one by one."""
    x = np.sort(values.astype(np.float64))
    errors = {0: 0.0}
    for _ in range(count):
        cut = dict(errors)
        for end in range(1, len(x) + 1):
            costs = [e + float(np.square(x[s:end] - x[s:end].mean()).sum()) for s, e in errors.items() if s < end]
            cut[end] = min([*costs, errors.get(end, np.inf)])
        errors = cut
    return errors[len(x)]


@given(FLOATS, st.integers(1, 9))
def test_small_arrays_are_clustered_as_well_as_can_be(values: np.ndarray, count: int) -> None:
    """No cut into intervals has a smaller error."""
    assert squared_error(values, count) <= best_error(values, count) * (1 + 1e-5) + 1e-6


@given(FLOATS, st.integers(1, 9))
def test_every_value_gets_its_nearest_centre(values: np.ndarray, count: int) -> None:
    """As a search through all centres would say, up to rounding."""
    clusters = cluster(values, count)
    distance = np.abs(values[:, None] - clusters.centres[None, :])
    chosen = distance[np.arange(len(values)), clusters.indices]
    assert len(clusters.centres) <= count
    np.testing.assert_allclose(chosen, distance.min(axis=1), atol=1e-6)


def test_few_different_values_are_kept_exactly() -> None:
    """Nothing is rounded where there are no more values than centres, zeros among them."""
    values = np.array([[0.0, 1.5], [0.0, -2.25]], dtype=np.float32)
    clusters = cluster(values, 4)
    np.testing.assert_array_equal(clusters.centres, [-2.25, 0.0, 1.5])
    np.testing.assert_array_equal(clusters.centres[clusters.indices], values)


@pytest.mark.parametrize("spread", [1.0, 1000.0], ids=["even", "with a far outlier"])
def test_binning_a_large_array_costs_next_to_nothing(spread: float) -> None:
    """A million and a half weights, in bins, come within 0.1 % of the error of centres found by sorting a part."""
    values = np.random.default_rng(0).standard_normal(1_500_000).astype(np.float32)
    values[0] *= spread
    per_value = squared_error(values, 16) / len(values)
    reference = cluster(values[1:1_000_000], 16).centres
    on_all = np.square(reference[nearest(values[1:], reference)] - values[1:]).mean()
    assert per_value <= on_all * 1.15 if spread > 1 else per_value <= on_all * 1.001


@pytest.mark.parametrize("values", [np.zeros(0, np.float32), np.array([1, np.nan], np.float32)])
def test_what_can_not_be_clustered_is_refused(values: np.ndarray) -> None:
    """Nothing and not-a-number are errors, not centres."""
    with pytest.raises(ValueError, match="empty or not finite"):
        cluster(values, 4)
