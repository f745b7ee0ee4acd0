"""Levels: binary and ternary sets."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from methods.numerics.levels import BINARY_SCALES, Levels, best_ternary, binary, snapped_slowly, ttq, twn

SHAPES = st.sampled_from([(1, 1), (1, 7), (5, 3), (4, 3, 3, 3), (6, 1, 5)])
MAKERS = {
    "binary": binary,
    "layer": lambda w: binary(w, "layer"),
    "twn": twn,
    "twn-channel": lambda w: twn(w, per_channel=True),
    "best": best_ternary,
    "best-channel": lambda w: best_ternary(w, per_channel=True),
    "ttq": ttq,
}
EVERY = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def random(shape: tuple[int, ...], seed: int, zeros: float = 0.1) -> Tensor:
    """A weight with some exact zeros and a row that is larger than the others."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) >= zeros)
    weight[0] *= 3.0
    return weight


def error(levels: Levels, weight: Tensor) -> float:
    return float((levels.project(weight) - weight).double().square().sum())


@EVERY
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6))
def test_the_fast_projection_equals_the_definition(make: object, shape: tuple[int, ...], seed: int) -> None:
    """Entry by entry, and each value is one of the levels."""
    weight = random(shape, seed)
    levels: Levels = make(weight)  # type: ignore[operator]
    rows, found = weight.reshape(len(weight), -1), levels.project(weight).reshape(len(weight), -1)
    for i, row in enumerate(rows):
        values, edges = (t[i] if t.dim() == 2 else t for t in (levels.values, levels.edges))
        assert found[i].tolist() == [snapped_slowly(v, values.tolist(), edges.tolist()) for v in row.tolist()]


@EVERY
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6))
def test_projecting_twice_changes_nothing(make: object, shape: tuple[int, ...], seed: int) -> None:
    """What lies in the set stays there."""
    once = make(weight := random(shape, seed)).project(weight)  # type: ignore[operator]
    torch.testing.assert_close(make(once).project(once), once, rtol=1e-6, atol=1e-7)  # type: ignore[operator]


@pytest.mark.seed("xnor-net")
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), factor=st.floats(0.5, 2.0))
def test_binary_weights_are_the_signs_at_the_best_scale(shape: tuple[int, ...], seed: int, factor: float) -> None:
    """+-alpha for each channel, zero counting as positive; any other scale has a larger squared error."""
    weight = random(shape, seed)
    levels = binary(weight)
    alpha = weight.reshape(len(weight), -1).abs().mean(1).reshape(-1, *[1] * (weight.dim() - 1))
    torch.testing.assert_close(levels.project(weight), torch.where(weight >= 0, alpha, -alpha))
    other = Levels(levels.scale * factor, levels.pattern, levels.edges)
    assert error(levels, weight) <= error(other, weight) * (1 + 1e-6) + 1e-9


def test_binary_scales_of_the_layer_and_of_nothing() -> None:
    """The mean magnitude of all, He's standard deviation, and one; another word is refused."""
    weight = random((4, 3, 3, 3), 0)
    scales = [float(binary(weight, s).scale) for s in BINARY_SCALES[1:]]
    assert scales == pytest.approx([float(weight.abs().mean()), (2 / 27) ** 0.5, 1.0])
    with pytest.raises(ValueError, match="channel, layer, fan-in, one, not 'median'"):
        binary(weight, "median")


@pytest.mark.seed("twn")
@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), factor=st.floats(0.05, 1.5))
def test_twn_follows_its_two_formulas(shape: tuple[int, ...], seed: int, factor: float) -> None:
    """Delta = factor * mean|w|; alpha = mean of |w| above Delta; values -alpha, 0, alpha only."""
    weight = random(shape, seed).double().float()
    found = twn(weight, factor).project(weight)
    kept = weight.abs().double() > factor * weight.abs().double().mean()
    alpha = weight.abs()[kept].mean() if kept.any() else torch.tensor(0.0)
    torch.testing.assert_close(found, torch.where(kept, weight.sign() * alpha, 0.0), rtol=1e-5, atol=1e-6)
    assert len(found.unique()) <= 3


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(1, 9))
def test_the_best_ternary_beats_every_subset(seed: int, size: int) -> None:
    """Tried over all sets of largest entries; the rule of 0.7 is never better."""
    weight = random((1, size), seed)
    ordered = weight.abs().reshape(-1).sort(descending=True).values.double()
    explained = max(float(ordered[:m].sum() ** 2) / m for m in range(1, size + 1))
    best = error(best_ternary(weight), weight)
    assert best == pytest.approx(float(ordered.square().sum()) - explained, abs=1e-5)
    assert best <= error(twn(weight), weight) + 1e-6


@pytest.mark.seed("ttq")
@settings(max_examples=25, deadline=None)
@given(shape=SHAPES, seed=st.integers(0, 10**6), share=st.floats(0.01, 0.9))
def test_ttq_has_three_values_and_its_own_threshold(shape: tuple[int, ...], seed: int, share: float) -> None:
    """-Wn, 0 and Wp; what is at most `share` of the largest magnitude is zero and nothing else is."""
    weight = random(shape, seed)
    levels = ttq(weight, share)
    found = levels.project(weight)
    assert set(found.unique().tolist()) <= set(levels.values.tolist())
    delta = (share * weight.abs().max().double()).float()
    assert torch.equal(found.sign(), weight.sign() * (weight.abs() > delta)) or not weight.any()


@EVERY
def test_edge_cases_are_the_identity_or_an_error(make: object) -> None:
    """Zeros stay zeros, a constant stays itself; not-a-number, infinity and nothing at all are refused."""
    project = lambda w: make(w).project(w)  # type: ignore[operator]  # noqa: E731
    zeros, constant = torch.zeros(3, 4), torch.full((2, 3, 3), -0.25)
    assert torch.equal(project(zeros).abs(), zeros)
    torch.testing.assert_close(project(constant), constant)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not finite"):
            project(torch.tensor([[1.0, bad]]))
    with pytest.raises(ValueError, match="no entries"):
        project(torch.zeros(2, 0))


@pytest.mark.parametrize("call", [lambda w: twn(w, 0.0), lambda w: twn(w, float("nan")), lambda w: ttq(w, 1.0)])
def test_thresholds_out_of_range_are_refused(call: object) -> None:
    """With what they may be."""
    with pytest.raises(ValueError, match="threshold"):
        call(torch.ones(2, 2))  # type: ignore[operator]
