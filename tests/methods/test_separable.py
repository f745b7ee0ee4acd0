"""Separable filters as a method."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.base import Data
from methods.graph.lower import lower
from methods.graph.surgery.edit import difference
from methods.separable import Separable
from tests.methods.factorised import SITE, layer, set_weight

NONE = Data((torch.zeros(0, 6, 12, 12),))


@pytest.mark.seed("jaderberg-separable")
def test_rank_one_kernels_are_reproduced() -> None:
    """Kernels that are a column of each input times a row of each output, through one single channel; with a stride,
    padding and dilation of their own in each direction."""
    convolution = nn.Conv2d(6, 9, (5, 3), stride=(2, 1), padding=(2, 0), dilation=(1, 2))
    graph = layer(convolution, 6, 12, 12)
    set_weight(graph, torch.einsum("ci,oj->ocij", torch.randn(6, 5), torch.randn(9, 3)))
    result = Separable().apply(graph, {SITE: "rank:1"}, NONE)
    assert difference(graph, result, graph.example(4)) < 1e-5
    assert result.parameter_count == 6 * 5 + 9 * 3 + 9


@pytest.mark.seed("jaderberg-separable")
def test_any_rank_one_kernels_are_reproduced() -> None:
    """A column and a row for each pair of channels, unlike any other's: through as many channels as inputs times
    columns, which is the full rank here."""
    graph = layer(nn.Conv2d(2, 9, 3), 2, 12, 12)
    set_weight(graph, torch.einsum("oci,ocj->ocij", torch.randn(9, 2, 3), torch.randn(9, 2, 3)))
    result = Separable().apply(graph, {SITE: "rank:6"}, Data((torch.zeros(0, 2, 12, 12),)))
    assert difference(graph, result, graph.example(4)) < 1e-5


@pytest.mark.seed("jaderberg-separable")
def test_multiply_accumulates_are_those_of_the_formula() -> None:
    """K (C d H' W + N d H' W'): the vertical layer still has the input's width."""
    graph = layer(nn.Conv2d(6, 9, 5, bias=False), 6, 12, 12)
    result = lower(Separable().apply(graph, {SITE: "rank:4"}, NONE))
    assert result.macs == 4 * (6 * 5 * 8 * 12 + 9 * 5 * 8 * 8)
    assert result.weight_bytes == 4 * 4 * 5 * (6 + 9)


def test_an_energy_is_kept() -> None:
    """At most a tenth of the squared weights is lost, and with one channel less it would be more."""
    weight = torch.randn(9, 6, 3, 3) * torch.linspace(3, 0.1, 9)[:, None, None, None]
    method = Separable()
    kept = method.project(weight, "energy:0.9")
    rank = int(torch.linalg.matrix_rank(kept.permute(0, 3, 1, 2).reshape(27, 18), rtol=1e-4))
    lost = [float((weight - method.project(weight, f"rank:{r}")).square().sum()) for r in (rank, rank - 1)]
    assert lost[0] <= 0.1 * float(weight.square().sum()) < lost[1]
