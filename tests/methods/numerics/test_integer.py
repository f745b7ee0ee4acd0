"""Layers in whole numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.integer_layers import affine_at, integer_layers
from methods.graph.observe import observe
from methods.numerics.affine import Affine, asymmetric, dequantise, quantise, symmetric
from methods.numerics.integer import Geometry, convolve, fixed_point, integer_layer, rescale
from methods.quantization import Quantization
from tests.zoo.catalogue import network

INTEGER_ONLY = pytest.mark.seed("integer-only-quant")


@INTEGER_ONLY
@pytest.mark.parametrize("settings", [{}, {"symmetric": False}, {"granularity": "tensor"}, {"observer": "mse"}])
@pytest.mark.parametrize("name", ["plain", "residual", "depthwise"])
def test_whole_numbers_and_the_graph_agree_to_one_code(name: str, settings: dict[str, object]) -> None:
    """Each layer of three small networks, on the codes that the graph feeds it; nearly all are equal."""
    graph = capture(*network(name))
    data = Data(graph.example(24))
    choices = dict.fromkeys((use.site for use in graph.weight_uses()), "int8")
    small = Quantization(**settings).apply(graph, choices, data)  # type: ignore[arg-type]
    layers = integer_layers(small)
    assert len(layers) >= 2
    names = {name for _, before, behind in layers.values() for name in (before, behind)}
    seen = next(observe(small, data.inputs, names))
    for layer, before, behind in layers.values():
        given, wanted = (quantise(seen[n].numpy(), affine_at(small.node(n))) for n in (before, behind))
        gap = np.abs(layer(given.astype(np.int64)) - wanted)
        assert gap.max() <= 1
        assert (gap > 0).sum() <= 1 + 0.01 * gap.size


@INTEGER_ONLY
@settings(max_examples=60, deadline=None)
@given(st.floats(-9, 9, width=32), st.floats(-9, 9, width=32), st.integers(2, 16))
def test_zero_is_exact_and_padding_adds_nothing(a: float, b: float, bits: int) -> None:
    """In every range and width; a convolution of nothing but padding gives the code of its bias."""
    source = asymmetric(min(a, b), max(a, b), (0, 2**bits - 1))
    zero = quantise(np.zeros(1, np.float32), source)
    assert int(zero[0]) == int(source.zero_point)
    assert float(dequantise(zero, source)[0]) == 0.0
    codes = np.full((1, 1, 2), int(zero[0]))
    weight = symmetric(np.array([[1.0], [2.0]], np.float32))
    layer = integer_layer(
        np.full((2, 1, 1), 127), weight, None, source, asymmetric(-1.0, 1.0), Geometry((1,), (1,), (1,))
    )
    assert (layer(codes) == int(layer.target.zero_point)).all()


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**31) + 1, 2**31 - 1), st.floats(1e-12, 0.999))
def test_a_multiplier_rounds_like_exact_fractions(total: int, real: float) -> None:
    """Within one of the exact product, which it is off by less than a millionth of a code before rounding."""
    multiplier, shift = fixed_point(real)
    assert 2**30 <= multiplier < 2**31
    found = int(rescale(np.array([total]), np.array([multiplier]), np.array([shift]))[0])
    assert abs(found - total * Fraction(real)) <= Fraction(1, 2) + abs(total) * Fraction(real) / 2**30


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_sums_are_those_of_a_convolution(data: st.DataObject) -> None:
    """Any stride, padding, dilation and groups, in one and two axes, against torch in double precision."""

    def draw(low: int, high: int) -> int:
        return int(data.draw(st.integers(low, high)))

    rank, groups = draw(1, 2), draw(1, 3)
    stride, padding, dilation = (tuple(draw(low, 2) for _ in range(rank)) for low in (1, 0, 1))
    geometry = Geometry(stride, padding, dilation, groups)
    rng = np.random.default_rng(draw(0, 1000))
    codes = rng.integers(-255, 256, (2, 2 * groups, *[7] * rank))
    weight = rng.integers(-127, 128, (3 * groups, 2, *[draw(1, 3) for _ in range(rank)]))
    run = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[rank - 1]
    wanted = run(
        torch.from_numpy(codes).double(),
        torch.from_numpy(weight).double(),
        None,
        geometry.stride,
        geometry.padding,
        geometry.dilation,
        groups,
    )
    np.testing.assert_array_equal(convolve(codes, weight, geometry), wanted.long().numpy())


def test_what_32_bits_can_not_hold_is_refused() -> None:
    """Sums of 16-bit codes overflow; scales of which one is nothing have no ratio."""
    wide = Affine(np.ones(1, np.float32), np.zeros(1, np.int64), -32767, 32767)
    one = asymmetric(0.0, 1.0, (0, 65535))
    layer = integer_layer(np.full((1, 9), 32767), wide, None, one, asymmetric(0.0, 1e6), Geometry())
    with pytest.raises(ValueError, match="more than 32 bits"):
        layer(np.full((1, 9), 65535))
    for ratio in (0.0, float("nan"), 1e12):
        with pytest.raises(ValueError, match="ratio of scales"):
            fixed_point(ratio)
