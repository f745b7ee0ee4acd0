"""Powers of two, DoReFa's levels, sums of binary bases, and products by bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from methods.numerics.dorefa import dorefa, dorefa_slowly, quantise_k
from methods.numerics.levels import checked
from methods.numerics.multibit import alternating_basis, combinations, greedy_basis, multi_bit, refined
from methods.numerics.powers import largest_exponent, magnitudes_of, nearest_power_slowly, powers_of_two
from methods.numerics.signs import masked_sign_product, pack_flags, pack_signs, sign_product
from tests.methods.numerics.test_levels import SHAPES, error, random

BITS = st.integers(2, 8)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), bits=BITS, size=st.sampled_from([1e-6, 1.0, 300.0]))
def test_powers_of_two_are_exact_and_nearest(shape: tuple[int, ...], seed: int, bits: int, size: float) -> None:
    """Zero or +-2^e with a whole e, each the nearest there is; a second time changes nothing."""
    weight = random(shape, seed) * size
    levels = powers_of_two(weight, bits)
    found = levels.project(weight)
    mantissa, _ = torch.frexp(found[found != 0])
    assert bool((mantissa.abs() == 0.5).all())
    assert len(levels.pattern) <= 2**bits
    top = largest_exponent(float(weight.abs().max()))
    slow = [nearest_power_slowly(v, range(top - magnitudes_of(bits) + 1, top + 1)) for v in weight.reshape(-1).tolist()]
    torch.testing.assert_close(found.reshape(-1), torch.tensor(slow), rtol=0, atol=0)
    assert torch.equal(powers_of_two(found, bits).project(found), found)


def test_the_incremental_set_gives_a_bit_to_zero() -> None:
    """Five bits: eight powers of two on each side; the largest is the one nearest to the largest weight."""
    levels = powers_of_two(torch.tensor([[0.9, -0.1]]), 5, incremental=True)
    assert levels.values.tolist() == [*(-(2.0**-e) for e in range(8)), 0.0, *(2.0**-e for e in range(7, -1, -1))]
    assert [largest_exponent(x) for x in (1.49, 1.5, 0.0, 1e-45, 3e38)] == [0, 1, 0, -126, 127]


@pytest.mark.parametrize("bits", [1, 9, True, -2])
def test_widths_that_powers_of_two_lack_are_refused(bits: int) -> None:
    """Two to eight."""
    with pytest.raises(ValueError, match="2 to 8 bits"):
        powers_of_two(torch.ones(1, 1), bits)


@pytest.mark.seed("dorefa-net")
@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), bits=st.integers(1, 8))
def test_dorefa_has_at_most_two_to_the_k_values(shape: tuple[int, ...], seed: int, bits: int) -> None:
    """And they are those of the paper's formula, but for entries on the edge between two."""
    weight = random(shape, seed) + 1e-3
    levels = dorefa(weight, bits, scaled=False)
    assert len(levels.project(weight).unique()) <= 2**bits
    step = 2.0 / (2**bits - 1)
    differing = (levels.project(weight) - dorefa_slowly(weight, bits)).abs()
    near = (weight.reshape(-1, 1) - levels.edges).abs().amin(1).reshape(shape) < 1e-5
    assert bool(((differing < 1e-6) | (near & (differing < step * 1.01))).all())


@pytest.mark.seed("dorefa-net")
def test_thirty_two_bits_are_floats() -> None:
    """Of weights and of activations."""
    weight = random((3, 4), 1)
    assert torch.equal(dorefa_slowly(weight, 32), weight)
    assert torch.equal(quantise_k(weight.clamp(0, 1), 32), weight.clamp(0, 1))
    with pytest.raises(ValueError, match="32 bits are no levels"):
        dorefa(weight, 32)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), bits=st.integers(1, 8), scaled=st.booleans())
def test_dorefa_twice_is_dorefa_once(shape: tuple[int, ...], seed: int, bits: int, scaled: bool) -> None:
    """Although the tangent would squeeze again what it has squeezed."""
    weight = random(shape, seed)
    once = dorefa(weight, bits, scaled).project(weight)
    torch.testing.assert_close(dorefa(once, bits, scaled).project(once), once, rtol=1e-5, atol=1e-7)


def test_dorefa_keeps_zeros_and_constants_and_refuses_the_rest() -> None:
    """With the scale that fits best; widths other than 1 to 8 and 32 are refused."""
    zeros, constant = torch.zeros(2, 3), torch.full((2, 3), 0.7)
    for bits in (1, 2, 5):
        assert not dorefa(zeros, bits).project(zeros).any()
        torch.testing.assert_close(dorefa(constant, bits).project(constant), constant)
    with pytest.raises(ValueError, match="not finite"):
        dorefa(torch.tensor([[float("nan")]]), 2)
    with pytest.raises(ValueError, match="1 to 8 bits, or 32"):
        quantise_k(zeros, 9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), bits=st.integers(1, 4))
def test_more_binary_bases_and_more_turns_never_hurt(seed: int, bits: int) -> None:
    """Least squares for the same signs, nearest signs for the same basis: no turn makes the error larger."""
    weight = random((4, 3, 5), seed)
    rows = checked(weight)
    basis, signs = greedy_basis(rows, bits)
    greedy = float((rows - (signs * basis[:, None]).sum(2)).square().sum())
    best = float((rows - (signs * refined(rows, signs)[:, None]).sum(2)).square().sum())
    few, many = (error(multi_bit(weight, b, per_channel=True), weight) for b in (bits, bits + 1))
    assert best <= greedy * (1 + 1e-9)
    assert many <= few * (1 + 1e-5) + 1e-9
    assert few <= greedy * (1 + 1e-5)


def test_levels_of_a_basis_are_all_its_combinations() -> None:
    """Rising, 2^k of them, for each row."""
    assert combinations(torch.tensor([2.0, 0.5])).tolist() == [-2.5, -1.5, 1.5, 2.5]
    weight = random((3, 8), 5)
    basis = alternating_basis(checked(weight), 3)
    torch.testing.assert_close(multi_bit(weight, 3, per_channel=True).values, combinations(basis).float())
    with pytest.raises(ValueError, match="1 to 8 bits"):
        multi_bit(weight, 9)


@pytest.mark.seed("xnor-net")
@settings(max_examples=30, deadline=None)
@given(m=st.integers(1, 5), n=st.integers(1, 5), count=st.integers(1, 200), seed=st.integers(0, 10**6))
def test_products_by_bits_equal_products_of_signs(m: int, n: int, count: int, seed: int) -> None:
    """Exactly, whatever the length."""
    generator = np.random.default_rng(seed)
    a, b = (generator.choice(np.array([-1.0, 1.0], np.float32), (rows, count)) for rows in (m, n))
    assert np.array_equal(sign_product(pack_signs(a), pack_signs(b), count), a @ b.T)


@pytest.mark.seed("xnor-net")
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (1, 2)])
def test_a_convolution_by_bits_equals_that_of_signs(stride: int, padding: int) -> None:
    """Padding is neither +1 nor -1: its places count for nothing."""
    x, w = random((2, 3, 7, 6), 1).sign(), random((4, 3, 3, 3), 2)
    x, w = torch.where(x == 0, 1.0, x), torch.where(w < 0, -1.0, 1.0)
    columns, there = (functional.unfold(t, 3, padding=padding, stride=stride) for t in (x, torch.ones_like(x)))
    rows, valid = (t.transpose(1, 2).reshape(-1, 27).numpy() for t in (columns, there))
    found = masked_sign_product(pack_signs(rows), pack_signs(w.reshape(4, -1).numpy()), pack_flags(valid > 0))
    expected = functional.conv2d(x, w, stride=stride, padding=padding)
    assert np.array_equal(found, expected.permute(0, 2, 3, 1).reshape(-1, 4).numpy())
