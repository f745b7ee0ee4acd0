"""Codes of weights: per tensor, per channel and per group, with zero points and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from methods.graph.intake.capture import capture
from methods.graph.values import value_of
from methods.numerics.affine import asymmetric_between, dequantise, quantise, quantise_slowly, signed_range
from methods.numerics.observers import OBSERVERS
from methods.numerics.weight_codes import WeightCoding
from tests.zoo.catalogue import network

BITS = st.sampled_from([2, 3, 4, 5, 6, 7, 8, 16])
WEIGHTS = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.sampled_from([6, 12])), elements=st.floats(-8, 8, width=32)
)
WEIGHT = np.random.default_rng(0).normal(0, 1, (6, 24)).astype(np.float32)
MANY = settings(max_examples=60, deadline=None)


def coded(weight: np.ndarray, coding: WeightCoding) -> tuple[np.ndarray, np.ndarray]:
    """Codes of a weight as rows, and the scale beside each."""
    codes = coding.affine(weight)
    rows = weight.reshape(len(codes.scale), -1)
    return quantise(rows, codes), np.broadcast_to(codes.scale[:, None], rows.shape)


@pytest.mark.seed("affine-uniform-quant")
@MANY
@given(WEIGHTS, BITS)
def test_with_zero_points_nothing_in_range_is_off_by_more_than_half_a_step(weight: np.ndarray, bits: int) -> None:
    """And zero goes to the zero point and comes back as zero; an end may round off by half a step more."""
    codes = WeightCoding(bits, symmetric=False, observer="min-max").affine(weight)
    assert codes.scale.min() > 0
    back = dequantise(quantise(weight, codes), codes)
    inside = (weight >= codes.scale[:, None] * (codes.low - codes.zero_point[:, None])) & (
        weight <= codes.scale[:, None] * (codes.high - codes.zero_point[:, None])
    )
    assert (np.abs(back - weight)[inside] <= (codes.scale[:, None] * 0.5001 + 1e-6 + 0 * weight)[inside]).all()
    assert (np.abs(back - weight) <= codes.scale[:, None] * 1.001 + 1e-6).all()
    zeros = quantise(np.zeros_like(weight), codes)
    assert (zeros == codes.zero_point[:, None]).all()
    assert (dequantise(zeros, codes) == 0).all()


@pytest.mark.seed("symmetric-uniform-quant")
@MANY
@given(WEIGHTS, BITS, st.sampled_from([0, 3, 6]), st.sampled_from(sorted(OBSERVERS)))
def test_without_zero_points_a_negative_weight_has_the_negative_codes(
    weight: np.ndarray, bits: int, group: int, observer: str
) -> None:
    """For every width, layout and observer; and there are no more codes than so many bits can tell apart."""
    coding = WeightCoding(bits, group, observer=observer)
    codes, scales = coded(weight, coding)
    if observer != "percentile":
        mirrored, same = coded(-weight, coding)
        np.testing.assert_array_equal(mirrored, -codes)
        np.testing.assert_array_equal(scales, same)
    assert np.abs(codes).max() <= signed_range(bits)[1] < 2 ** (bits - 1)


@pytest.mark.seed("per-channel-asymmetric")
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("name", ["plain", "residual", "depthwise", "dense", "transformer"])
def test_scales_per_channel_lose_no_more_than_one_for_all(name: str, symmetric: bool) -> None:
    """Squared error of every layer of five networks, at 8 and at 4 bits."""
    graph = capture(*network(name))
    for use in graph.weight_uses():
        weight = value_of(graph, use.node.args[1]).numpy()
        for bits in (4, 8):
            channels, whole = (
                WeightCoding(bits, whole=w, symmetric=symmetric, observer="min-max") for w in (False, True)
            )
            errors = [((c.nearest(weight) - weight).astype(float) ** 2).sum() for c in (channels, whole)]
            assert errors[0] <= errors[1]


def test_narrower_groups_lose_less() -> None:
    """On normal weights."""
    errors = [((WeightCoding(4, g).nearest(WEIGHT) - WEIGHT) ** 2).mean() for g in (0, 12, 6, 2)]
    assert errors == sorted(errors, reverse=True)


@MANY
@given(WEIGHTS, BITS, st.booleans(), st.booleans())
def test_what_lies_on_codes_stays(weight: np.ndarray, bits: int, whole: bool, symmetric: bool) -> None:
    """Projecting twice is projecting once."""
    coding = WeightCoding(bits, whole=whole, symmetric=symmetric)
    once = coding.nearest(weight)
    np.testing.assert_allclose(coding.nearest(once), once, atol=2e-5 * max(1.0, float(np.abs(weight).max())))


def test_every_code_is_the_nearest() -> None:
    """Against the search over all codes, per channel, 3 bits."""
    codes = WeightCoding(3, symmetric=False).affine(WEIGHT)
    found = quantise(WEIGHT, codes)
    for row in range(len(WEIGHT)):
        scale, zero = float(codes.scale[row]), int(codes.zero_point[row])
        slow = [quantise_slowly(float(v), scale, zero, codes.low, codes.high) for v in WEIGHT[row]]
        np.testing.assert_array_equal(found[row], slow)


@pytest.mark.parametrize("symmetric", [True, False])
def test_zeros_and_constants_are_exact(symmetric: bool) -> None:
    """A pruned channel stays zero beside others; a layer of one channel with one weight keeps it."""
    weight = WEIGHT.copy()
    weight[2] = 0.0
    weight[:, ::3] = 0.0
    for coding in (WeightCoding(4, symmetric=symmetric), WeightCoding(2, 6, symmetric=symmetric)):
        assert (coding.nearest(weight)[weight == 0] == 0).all()
        np.testing.assert_allclose(coding.nearest(np.full((1, 6), -0.3, np.float32)), -0.3, rtol=1e-6)
        assert (coding.nearest(np.zeros((2, 6), np.float32)) == 0).all()


def test_what_has_no_codes_is_refused() -> None:
    """Empty, not finite, groups that don't divide a row, ends out of order."""
    for weight, text in ((WEIGHT[:0], "empty"), (WEIGHT * np.inf, "finite")):
        with pytest.raises(ValueError, match=text), np.errstate(invalid="ignore"):
            WeightCoding(4).affine(weight)
    with pytest.raises(ValueError, match="groups of 7 don't divide 24 inputs"):
        WeightCoding(4, 7).affine(WEIGHT)
    with pytest.raises(ValueError, match="not a range"):
        asymmetric_between(np.ones(1, np.float32), np.zeros(1, np.float32), (0, 3))
