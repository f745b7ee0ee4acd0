"""Depthwise separable convolutions as a method."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from methods.base import Data
from methods.depthwise_separable import DepthwiseSeparable
from methods.graph.lower import lower
from methods.graph.surgery.edit import difference
from tests.methods.factorised import SITE, layer, set_weight


@pytest.mark.seed("mobilenet-v1")
@given(st.integers(1, 9), st.integers(1, 9), st.integers(2, 5), st.integers(1, 3), st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_cost_is_that_of_the_formula(given_: int, out: int, kernel: int, stride: int, same: bool) -> None:
    """1/N + 1/k^2 of the whole convolution's multiply-accumulates, exactly, planned and built."""
    convolution = nn.Conv2d(given_, out, kernel, stride, padding=kernel // 2 if same else 0, bias=False)
    graph = layer(convolution, given_, 9, 8)
    whole = lower(graph)
    pair = lower(DepthwiseSeparable(samples=0).apply(graph, {SITE: "replace"}, Data(graph.example(1))))
    planned = [op for o in whole.ops for op in DepthwiseSeparable().rewrite(o, {SITE: "replace"})]
    assert Fraction(pair.macs, whole.macs) == Fraction(1, out) + Fraction(1, kernel**2)
    assert sum(op.macs for op in planned) == pair.macs


@pytest.mark.seed("mobilenet-v1")
@pytest.mark.parametrize("samples", [0, 16])
@pytest.mark.parametrize(
    ("made", "shape", "letters"),
    [
        (nn.Conv2d(6, 9, 3, stride=2, padding=1), (6, 9, 9), "kl"),
        (nn.Conv1d(6, 9, 5, dilation=2), (6, 19), "k"),
        (nn.Conv3d(6, 9, 2), (6, 4, 4, 4), "klm"),
    ],
)
def test_a_rank_one_convolution_is_reproduced(
    made: nn.Module, shape: tuple[int, ...], letters: str, samples: int
) -> None:
    """One filter per input channel, scaled for each output: by the weight alone and with samples, over any axes."""
    graph = layer(made, *shape)
    kernel = graph.tensor("one.weight").shape[2:]
    set_weight(graph, torch.einsum(f"oc,c{letters}->oc{letters}", torch.randn(9, 6), torch.randn(6, *kernel)))
    result = DepthwiseSeparable(samples=samples).apply(graph, {SITE: "replace"}, Data(graph.example(16)))
    assert difference(graph, result, graph.example(3, seed=1)) < 1e-5
    assert result.tensor("one.v.weight").shape == (6, 1, *kernel)


def test_samples_bring_the_outputs_closer() -> None:
    """On smooth images, where neighbours say much about each other; also on ones that were not seen."""
    torch.manual_seed(0)
    graph = layer(nn.Conv2d(4, 8, 3, padding=1), 4, 12, 12)
    smooth = nn.functional.avg_pool2d(torch.randn(96, 4, 16, 16), 5, 1)
    blind, seeing = (
        DepthwiseSeparable(samples=n).apply(graph, {SITE: "replace"}, Data((smooth[:64],))) for n in (0, 64)
    )
    with torch.no_grad():
        wanted, *made = (g(smooth[64:])[0] for g in (graph, blind, seeing))
    assert (made[1] - wanted).norm() < 0.95 * (made[0] - wanted).norm()
