"""Tucker-2 as a method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from methods.base import Data
from methods.graph.lower import lower
from methods.numerics.tucker import vbmf_ranks
from methods.tucker import Tucker2
from tests.methods.factorised import SITE, layer, set_weight

NONE = Data((torch.zeros(0, 16, 8, 8),))


def planted(noise: float) -> torch.Tensor:
    """A weight from 16 to 24 channels of ranks 3 (inputs) and 5 (outputs), with noise on it."""
    torch.manual_seed(1)
    core = torch.einsum("or,rskl,si->oikl", torch.randn(24, 5), torch.randn(5, 3, 3, 3), torch.randn(3, 16))
    return core + noise * torch.randn(24, 16, 3, 3)


@pytest.mark.seed("tucker-2")
def test_variational_bayes_finds_the_ranks_of_a_layer() -> None:
    """Three and five of sixteen and twenty-four channels, and the layer does what it did, but for its noise."""
    graph = layer(nn.Conv2d(16, 24, 3, padding=1), 16, 8, 8)
    set_weight(graph, planted(0.3))
    result = Tucker2().apply(graph, {SITE: "vbmf"}, NONE)
    assert [tuple(result.tensor(use.weight).shape) for use in result.weight_uses()] == [
        (3, 16, 1, 1),
        (5, 3, 3, 3),
        (24, 5, 1, 1),
    ]
    nearest = Tucker2().project(planted(0.3), "vbmf")
    assert (nearest - planted(0.0)).norm() < 0.3 * (planted(0.3) - planted(0.0)).norm()
    assert vbmf_ranks(planted(0.3).numpy().astype(np.float32)) == (3, 5)


@pytest.mark.seed("tucker-2")
def test_multiply_accumulates_are_those_of_the_formula() -> None:
    """H W (C R3 + k^2 R3 R4 + N R4) for the three layers of stride one (Kim et al. 2016, equation 6)."""
    graph = layer(nn.Conv2d(16, 24, 3, padding=1, bias=False), 16, 8, 10)
    result = lower(Tucker2().apply(graph, {SITE: "rank:4,6"}, NONE))
    assert result.macs == 8 * 10 * (16 * 4 + 9 * 4 * 6 + 24 * 6)
    assert result.weight_bytes == 4 * (16 * 4 + 9 * 4 * 6 + 24 * 6)
