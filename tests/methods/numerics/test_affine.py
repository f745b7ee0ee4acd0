"""Affine quantisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from methods.numerics.affine import (
    asymmetric,
    asymmetric_between,
    dequantise,
    quantise,
    quantise_slowly,
    squared_errors,
    symmetric,
)

BOUND = st.floats(-100, 100, width=32)


@pytest.mark.parametrize(("least", "most"), [(0.0, 6.0), (-1.0, 3.0), (-5.0, 0.0), (-0.1, 12.7)])
def test_every_code_comes_back_as_itself(least: float, most: float) -> None:
    """All 256 codes of a range: real value, and back to the same code, in the fast way and in the slow one."""
    codes = asymmetric(least, most)
    every = np.arange(256)
    values = dequantise(every.astype(np.int32), codes)
    slow = [quantise_slowly(float(v), float(codes.scale), int(codes.zero_point), 0, 255) for v in values]
    np.testing.assert_array_equal(quantise(values, codes), every)
    np.testing.assert_array_equal(slow, every)


def test_between_codes_the_fast_and_the_slow_way_agree() -> None:
    """Thousands of values, beyond the range too; only values within rounding of a tie may differ, by one code."""
    codes = asymmetric(-1.0, 3.0)
    values = np.random.default_rng(0).uniform(-2, 4, 3000).astype(np.float32)
    steps = values.astype(np.float64) / float(codes.scale)
    clear = np.abs(steps - np.floor(steps) - 0.5) > 1e-4
    slow = [quantise_slowly(float(v), float(codes.scale), int(codes.zero_point), 0, 255) for v in values[clear]]
    np.testing.assert_array_equal(quantise(values[clear], codes), slow)


@given(BOUND, BOUND)
def test_zero_is_exact_in_every_range(a: float, b: float) -> None:
    """Padding and ReLU need it."""
    codes = asymmetric(min(a, b), max(a, b))
    assert float(dequantise(quantise(np.zeros(1, np.float32), codes), codes)[0]) == 0.0


def test_codes_are_those_that_the_graph_computes() -> None:
    """Bit for bit what ATen's fake quantisation gives, per tensor and per channel."""
    values = np.random.default_rng(0).normal(0, 1, (7, 50)).astype(np.float32)
    codes, tensor = asymmetric(-2.0, 2.5), torch.from_numpy(values)
    whole = torch.fake_quantize_per_tensor_affine(tensor, float(codes.scale), int(codes.zero_point), 0, 255)
    np.testing.assert_array_equal(dequantise(quantise(values, codes), codes), whole.numpy())
    codes = symmetric(values)
    scale, zero = torch.from_numpy(codes.scale), torch.zeros(7, dtype=torch.int32)
    channels = torch.fake_quantize_per_channel_affine(tensor, scale, zero, 0, -127, 127)
    np.testing.assert_array_equal(dequantise(quantise(values, codes), codes), channels.numpy())


def test_channels_without_weights_get_a_scale_that_biases_can_live_with() -> None:
    """A dead channel's scale stays within 1/4096 of the widest one's, so 32-bit bias codes don't overflow."""
    codes = symmetric(np.array([[1.0, -2.54], [0.0, 0.0]], dtype=np.float32))
    np.testing.assert_allclose(codes.scale, [0.02, 0.02 / 4096], rtol=1e-6)
    assert symmetric(np.zeros((2, 2), np.float32)).scale.tolist() == [1 / 4096, 1 / 4096]


@pytest.mark.parametrize(("least", "most"), [(0.0, float("nan")), (float("-inf"), 1.0), (2.0, 1.0)])
def test_a_range_that_is_none_is_refused(least: float, most: float) -> None:
    """Not a number, infinite, or the wrong way round."""
    with pytest.raises(ValueError, match="not a range"):
        asymmetric(least, most)


@pytest.mark.parametrize("code_range", [(-1, 1), (-8, 7), (-127, 127), (-32767, 32767)])
def test_errors_in_pieces_are_those_of_codes_and_back(code_range: tuple[int, int]) -> None:
    """Row by row, zero points among them, more numbers than a piece holds."""
    rows = np.random.default_rng(0).normal(0.3, 1, (900, 100)).astype(np.float32)
    codes = asymmetric_between(rows.min(axis=1) * 0.7, rows.max(axis=1) * 0.7, code_range)
    slow = ((dequantise(quantise(rows, codes), codes) - rows).astype(np.float64) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_errors(rows, codes), slow, rtol=1e-3, atol=1e-9)


def test_rows_get_the_codes_that_each_would_get_alone() -> None:
    """With zero points: as many calls for one range each."""
    least, most = np.array([[-1.0, 0.0, -5.0, 0.5], [2.0, 3.0, 0.0, 0.75]], dtype=np.float32)
    codes = asymmetric_between(least, most, (0, 15))
    for row in range(4):
        alone = asymmetric(float(least[row]), float(most[row]), (0, 15))
        assert (codes.scale[row], codes.zero_point[row]) == (alone.scale, alone.zero_point)


@pytest.mark.parametrize("size", [1e-45, 1e-38, 1e-30, 1e30])
def test_weights_of_any_size_have_finite_codes(size: float) -> None:
    """Those too small to have a reciprocal become zero, and never something that is no number."""
    weight = np.array([[size, -size, 0.0]], dtype=np.float32)
    codes = symmetric(weight, (-1, 1))
    with np.errstate(all="raise", under="ignore"):
        found = dequantise(quantise(weight, codes), codes)
    assert np.isfinite(found).all()
    assert np.abs(found - weight).max() <= max(1e-35, 1e-6 * size)
