"""Observers: which range the codes should cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.numerics.affine import dequantise, full_range, quantise, signed_range, unsigned_range
from methods.numerics.clipping import affine_of
from methods.numerics.histogram import HALF, Histogram
from methods.numerics.observers import OBSERVERS, Aim, bounds_of, observer_of

EVERY_OBSERVER = pytest.mark.parametrize("name", OBSERVERS)
BYTE = Aim(unsigned_range(8))
RNG = np.random.default_rng(0)
HEAVY = RNG.standard_t(3, (8, 500)).astype(np.float32)


def error(rows: np.ndarray, bounds: tuple[np.ndarray, np.ndarray], aim: Aim) -> np.ndarray:
    """Mean squared error of each row in these bounds."""
    codes = affine_of(*bounds, aim.code_range, aim.symmetric)
    return np.asarray(((dequantise(quantise(rows, codes), codes) - rows) ** 2).mean(axis=1))


def seen(name: str, batches: list[np.ndarray], aim: Aim = BYTE) -> tuple[float, float]:
    observer = observer_of(name, aim)
    for batch in batches:
        observer.see(batch.astype(np.float32))
    return observer.bounds()


@EVERY_OBSERVER
@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=30), min_size=1, max_size=4))
def test_a_range_lies_inside_what_was_seen(name: str, batches: list[list[float]]) -> None:
    """For any numbers, one sample among them: ordered, finite, zero apart never wider than the data."""
    arrays = [np.array(b, dtype=np.float32) for b in batches]
    least, most = seen(name, arrays)
    every = np.concatenate(arrays)
    assert min(every.min(), 0.0) <= least <= most <= max(every.max(), 0.0)


@EVERY_OBSERVER
@pytest.mark.parametrize("constant", [0.0, 3.0, -2.5])
def test_a_constant_is_kept_exactly(name: str, constant: float) -> None:
    """As activation and as weight, with a zero point and without."""
    values = np.full((2, 40), constant, dtype=np.float32)
    least, most = seen(name, [values])
    aims = [BYTE, Aim(signed_range(8), symmetric=True)]
    ranges = [((np.array([least]), np.array([most])), aims[0]), (bounds_of(values, name, aims[1]), aims[1])]
    for bounds, aim in ranges:
        codes = affine_of(*bounds, aim.code_range, aim.symmetric)
        kept = dequantise(quantise(values[: len(bounds[0])], codes), codes)
        np.testing.assert_allclose(kept, values[: len(bounds[0])], rtol=1e-6)


@pytest.mark.parametrize("aim", [Aim(signed_range(b), symmetric=True) for b in (2, 4, 8)] + [Aim(full_range(3))])
def test_the_least_error_is_never_more_than_that_of_the_whole_range(aim: Aim) -> None:
    """Row by row; and at few bits, clearly less."""
    exact, found = bounds_of(HEAVY, "min-max", aim), bounds_of(HEAVY, "mse", aim)
    assert (error(HEAVY, found, aim) <= error(HEAVY, exact, aim)).all()
    if aim.code_range[1] < 8:
        assert error(HEAVY, found, aim).sum() < 0.75 * error(HEAVY, exact, aim).sum()


def test_the_least_error_is_close_to_that_of_every_share() -> None:
    """The two-stage grid against a fine one: within two per cent."""
    aim = Aim(signed_range(4), symmetric=True)
    found = error(HEAVY, bounds_of(HEAVY, "mse", aim), aim)
    least, most = bounds_of(HEAVY, "min-max", aim)
    fine = np.min([error(HEAVY, (least * k / 200, most * k / 200), aim) for k in range(2, 201)], axis=0)
    assert (found <= fine * 1.02).all()


def test_outliers_move_some_observers_and_not_others() -> None:
    """One wild number in 20000: min-max covers it; percentile, entropy and the least error don't."""
    values = RNG.normal(0, 1, 20000).astype(np.float32)
    values[7] = 1000.0
    aim = Aim(signed_range(4), symmetric=True)
    assert seen("min-max", [values], aim)[1] == 1000.0
    for name in ("percentile", "entropy"):
        assert 1.0 < seen(name, [values], aim)[1] < 20.0
    assert seen("mse", [values], Aim(unsigned_range(8)))[1] <= 1000.0


def test_the_moving_average_follows_the_last_batches() -> None:
    """Its range lies between the first batch's and the last's, nearer the last than their mean."""
    batches = [np.array([-1.0, 1.0]), np.array([-1.0, 1.0]), np.array([-4.0, 4.0])]
    least, most = seen("moving-average", batches, Aim((0, 255), decay=0.5))
    assert (least, most) == pytest.approx((-4 * 4 / 7 - 3 / 7, 4 * 4 / 7 + 3 / 7))


def test_percentiles_leave_out_both_ends() -> None:
    """Of the numbers from 0 to 99, 98 per cent: 2 to 97."""
    assert seen("percentile", [np.arange(100.0)], Aim((0, 255), percentile=98.0)) == (2.0, 97.0)
    assert seen("percentile", [np.arange(100.0)], Aim((0, 255), percentile=100.0)) == (0.0, 99.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=60))
def test_a_histogram_counts_everything_once(values: list[float]) -> None:
    """In any order of sizes; each number in a bin that is at most half a bin from it."""
    histogram = Histogram()
    for value in values:
        histogram.add(np.array([value], dtype=np.float32))
    assert histogram.counts.sum() == len(values)
    width = histogram.limit / HALF
    filled = histogram.centres[histogram.counts > 0]
    assert all(np.abs(filled - v).min() <= width / 2 * (1 + 1e-6) + 1e-12 for v in values)


@EVERY_OBSERVER
def test_what_has_no_range_is_refused(name: str) -> None:
    """Nothing seen, an empty weight, not-a-number and infinity."""
    with pytest.raises(ValueError, match="no values"):
        observer_of(name, BYTE).bounds()
    with pytest.raises(ValueError, match="empty"):
        bounds_of(np.zeros((0, 3), np.float32), name, BYTE)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not a finite number"):
            bounds_of(np.array([[1.0, bad]], dtype=np.float32), name, BYTE)
        with pytest.raises(ValueError, match="not a finite number"):
            seen(name, [np.array([1.0, bad])])


def test_an_unknown_observer_is_answered_with_the_names() -> None:
    """For weights and for activations."""
    with pytest.raises(ValueError, match="no observer 'median'; there are min-max, percentile, mse"):
        observer_of("median", BYTE)
    with pytest.raises(ValueError, match="no observer 'median'; there are min-max, percentile, mse"):
        bounds_of(HEAVY, "median", BYTE)
