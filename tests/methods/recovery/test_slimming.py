"""Training with a price on the scales of batch normalisations."""

from __future__ import annotations

import pytest
import torch

from methods.base import MethodError
from methods.graph.surgery.edit import difference
from methods.importance.batch_norm_scale import scales_of
from methods.recovery.slimming import Slimming, scale_sum
from tests.methods.recovery.students import captured


def test_the_price_is_the_sum_of_sizes_and_its_slope_the_sign() -> None:
    """Zero at zero, so that a scale which has arrived there stays."""
    graph, _ = captured("residual", 4)
    with torch.no_grad():
        graph.tensor("norm0.weight")[:3] = torch.tensor([-2.0, 0.0, 0.5])
    scales = scales_of(graph)
    assert "norm0.weight" in scales
    total = scale_sum(graph, scales)
    assert total.item() == pytest.approx(sum(float(graph.tensor(n).detach().abs().sum()) for n in scales))
    (slope,) = torch.autograd.grad(total, [graph.tensor("norm0.weight")])
    assert slope[:3].tolist() == [-1.0, 0.0, 1.0]


def test_scales_shrink_with_the_price() -> None:
    """The dearer, the smaller; and the last weights are kept, though fine-tuning would keep the first."""
    graph, data = captured("residual")
    sizes = []
    for strength in (0.0, 0.03, 0.3):
        slim = Slimming(strength=strength, epochs=3).recover(graph, graph, data, seed=0)
        sizes.append(float(scale_sum(slim, scales_of(slim)).detach()))
    assert sizes[0] > sizes[1] > sizes[2]


def test_networks_without_scales_stay_as_they_are() -> None:
    """There is nothing to price."""
    graph, data = captured("plain")
    assert difference(graph, Slimming().recover(graph, graph, data, seed=0), data.inputs) == 0.0


def test_a_price_below_zero_is_refused() -> None:
    """By the name of the setting."""
    with pytest.raises(MethodError, match="'strength' must be 0 or more"):
        Slimming(strength=-1.0)
