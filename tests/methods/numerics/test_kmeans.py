"""k-means in one dimension: three solvers held against the slow optimum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from methods.numerics import kmeans
from methods.numerics.kmeans import SOLVERS, cluster
from methods.numerics.nearest import nearest

FLOATS = arrays(np.float32, st.integers(1, 60), elements=st.floats(-4, 4, width=16))
COUNTS = arrays(np.float32, 60, elements=st.floats(0, 8, width=16))


def squared_error(values: np.ndarray, count: int, solver: str = "fast", weights: np.ndarray | None = None) -> float:
    clusters = cluster(values, count, weights, solver)
    squares = np.square(clusters.centres[clusters.indices] - values.astype(np.float64))
    return float((squares if weights is None else squares * weights).sum())


def best_error(values: np.ndarray, count: int, weights: np.ndarray | None = None) -> float:
    """The least error of all ways to cut the sorted values into intervals, tried one by one."""
    order = np.argsort(values)
    x = values[order].astype(np.float64)
    w = np.ones(len(x)) if weights is None else weights[order].astype(np.float64)

    def spread(s: int, end: int) -> float:
        total = w[s:end].sum()
        mean = (w[s:end] * x[s:end]).sum() / total if total else 0.0
        return float((w[s:end] * np.square(x[s:end] - mean)).sum())

    errors = {0: 0.0}
    for _ in range(count):
        cut = dict(errors)
        for end in range(1, len(x) + 1):
            costs = [e + spread(s, end) for s, e in errors.items() if s < end]
            cut[end] = min([*costs, errors.get(end, np.inf)])
        errors = cut
    return errors[len(x)]


@given(FLOATS, st.integers(1, 9), st.sampled_from(SOLVERS))
def test_small_arrays_are_clustered_as_well_as_can_be(values: np.ndarray, count: int, solver: str) -> None:
    """No cut into intervals has a smaller error."""
    assert squared_error(values, count, solver) <= best_error(values, count) * (1 + 1e-5) + 1e-6


@given(FLOATS, COUNTS, st.integers(1, 9))
def test_errors_may_count_differently(values: np.ndarray, weights: np.ndarray, count: int) -> None:
    """The weighted optimum, which a slow search finds too; values of weight 0 have no say."""
    weights = weights[: len(values)] + (np.arange(len(values)) == 0)
    assert squared_error(values, count, "exact", weights) <= best_error(values, count, weights) * (1 + 1e-5) + 1e-5


@pytest.mark.seed("hessian-weighted-kmeans")
@given(FLOATS, st.integers(1, 9), st.sampled_from(SOLVERS))
def test_equal_weights_are_plain_k_means(values: np.ndarray, count: int, solver: str) -> None:
    """Whatever the weight that all have."""
    weighted = cluster(values, count, np.full_like(values, 0.25), solver)
    np.testing.assert_allclose(weighted.centres, cluster(values, count, solver=solver).centres, atol=1e-6)


@given(FLOATS, st.integers(1, 9), st.sampled_from(SOLVERS))
def test_every_value_gets_its_nearest_centre(values: np.ndarray, count: int, solver: str) -> None:
    """As a search through all centres would say, up to rounding."""
    clusters = cluster(values, count, solver=solver)
    distance = np.abs(values[:, None] - clusters.centres[None, :])
    chosen = distance[np.arange(len(values)), clusters.indices]
    assert len(clusters.centres) <= count
    np.testing.assert_allclose(chosen, distance.min(axis=1), atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
def test_few_different_values_are_kept_exactly(solver: str) -> None:
    """Nothing is rounded where there are no more values than centres: a rare one is found by a sample, too."""
    values = np.zeros((300, 100), dtype=np.float32)
    values[0, :2] = 1.5, -2.25
    clusters = cluster(values, 4, solver=solver)
    np.testing.assert_array_equal(clusters.centres, [-2.25, 0.0, 1.5])
    np.testing.assert_array_equal(clusters.centres[clusters.indices], values)


@pytest.mark.parametrize("solver", SOLVERS)
def test_the_optimum_of_many_values_is_below_all(solver: str) -> None:
    """No solver beats the exact one, and none is more than a tenth worse on 20,000 values of a long-tailed kind."""
    values = np.random.default_rng(0).laplace(size=20_000).astype(np.float32)
    exact = squared_error(values, 16, "exact")
    assert exact <= squared_error(values, 16, solver) * (1 + 1e-6)
    assert squared_error(values, 16, solver) < exact * 1.1


def test_more_points_than_are_cut_exactly_are_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 512 merged points for 20,000 values and eight centres the error is within 0.1 % of the optimum."""
    values = np.random.default_rng(1).standard_normal(20_000).astype(np.float32)
    best = squared_error(values, 8, "exact")
    monkeypatch.setattr(kmeans, "EXACT_WORK", 4096)
    assert best <= squared_error(values, 8, "exact") < best * 1.001


@pytest.mark.seed("sampled-kmeans")
def test_one_per_cent_of_a_million_weights_will_do() -> None:
    """Centres of a sample come within 5 % of those of all weights, tails included; the same seed gives the same."""
    values = np.random.default_rng(0).laplace(size=1_000_000).astype(np.float32)
    sampled = [cluster(values, 256, solver="sampled", seed=3) for _ in range(2)]
    np.testing.assert_array_equal(sampled[0].centres, sampled[1].centres)
    error = float(np.square(sampled[0].centres[sampled[0].indices] - values.astype(np.float64)).sum())
    assert error < squared_error(values, 256) * 1.05


@pytest.mark.parametrize("spread", [1.0, 1000.0], ids=["even", "with a far outlier"])
def test_binning_a_large_array_costs_next_to_nothing(spread: float) -> None:
    """A million and a half weights, in bins, come within 0.1 % of the error of centres found by sorting a part."""
    values = np.random.default_rng(0).standard_normal(1_500_000).astype(np.float32)
    values[0] *= spread
    per_value = squared_error(values, 16) / len(values)
    reference = cluster(values[1:1_000_000], 16).centres
    on_all = np.square(reference[nearest(values[1:], reference)] - values[1:]).mean()
    assert per_value <= on_all * 1.15 if spread > 1 else per_value <= on_all * 1.001


@pytest.mark.parametrize("scale", [1e38, 1e-41], ids=["next to overflow", "below the normal numbers"])
@pytest.mark.parametrize("size", [100, 1_100_000], ids=["sorted", "in bins where that can be"])
def test_numbers_of_any_size_are_clustered(scale: float, size: int) -> None:
    """Two centres explain as much of normal values as they do of those of common sizes: all but 36 %."""
    values = (np.random.default_rng(0).standard_normal(size).clip(-3, 3) * scale).astype(np.float32)
    left = squared_error(values, 2) / (size * values.var(dtype=np.float64))
    assert left == pytest.approx(0.36, abs=0.05)


@pytest.mark.parametrize("values", [np.zeros(0, np.float32), np.array([1, np.nan], np.float32)])
def test_what_can_not_be_clustered_is_refused(values: np.ndarray) -> None:
    """Nothing and not-a-number are errors, not centres."""
    with pytest.raises(ValueError, match="empty or not finite"):
        cluster(values, 4)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"count": 0}, "1 to 256 centres"),
        ({"count": 257}, "1 to 256 centres"),
        ({"solver": "best"}, "fast, sampled, exact"),
        ({"share": 0.0}, "a share lies in"),
        ({"weights": np.zeros(3, np.float32)}, "what errors count"),
        ({"weights": np.array([1, -1, 1], np.float32)}, "what errors count"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings: dict[str, object], reason: str) -> None:
    """With what would be right."""
    with pytest.raises(ValueError, match=reason):
        cluster(np.array([1, 2, 3], np.float32), **({"count": 2} | settings))  # type: ignore[arg-type]
