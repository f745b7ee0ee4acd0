"""Least-squares reconstruction."""

from __future__ import annotations

import pytest
import torch

from hwmodels.device import Device
from methods.catalogue import METHODS
from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.observe import outputs
from methods.graph.surgery.edit import difference, prune
from methods.low_rank import LowRank
from methods.recovery.least_squares import LeastSquares
from tests.methods.recovery.students import captured

DEVICE = Device("toy", "toy", "analytical", "roofline", {"fp32": 1e9}, {}, ())


@pytest.mark.parametrize(("site", "twin"), [("conv1", (2, 5)), ("conv2", (0, 7)), ("fc1", (3, 4))])
def test_least_squares_makes_up_for_a_channel_that_another_can_replace(site: str, twin: tuple[int, int]) -> None:
    """Of two equal channels one goes: the layer behind learns to take the other twice, convolution or linear."""
    teacher, data = captured("plain", 256)
    for name in (f"{site}.weight", f"{site}.bias"):
        with torch.no_grad():
            teacher.tensor(name)[twin[1]] = teacher.tensor(name)[twin[0]]
    units = teacher.tensor(f"{site}.bias").numel()
    pruned = prune(teacher, {f"channels:{site}": [u for u in range(units) if u != twin[1]]})
    repaired = LeastSquares(pull=1e-9).recover(pruned, teacher, data, 0)
    assert difference(teacher, pruned, data.inputs) > 0.01
    assert difference(teacher, repaired, data.inputs) < 1e-3


@pytest.mark.parametrize("name", ["plain", "residual", "depthwise", "dense"])
def test_least_squares_brings_pruned_networks_closer(name: str) -> None:
    """On samples that it has not seen: less than two thirds of the error."""
    teacher, data = captured(name, 512)
    pruned = ChannelPruning().apply(teacher, dict.fromkeys(couple(teacher).groups, 0.75), data)
    repaired = LeastSquares().recover(pruned, teacher, data, 0)
    fresh = teacher.example(64, seed=9)
    wanted = outputs(teacher, fresh)[0]
    before, after = (float((outputs(g, fresh)[0] - wanted).norm()) for g in (pruned, repaired))
    assert after < before * 2 / 3


@pytest.mark.parametrize("name", ["tucker-2", "separable", "depthwise-separable"])
def test_least_squares_repairs_the_last_piece_of_any_row_of_layers(name: str) -> None:
    """Whatever factorisation made it."""
    teacher, data = captured("plain", 256)
    space = METHODS[name].space(teacher, DEVICE).sites
    split = METHODS[name].apply(teacher, {"weight:conv2": space["weight:conv2"][-1]}, data)
    repaired = LeastSquares().recover(split, teacher, data, 0)
    wanted = outputs(teacher, data.inputs)[0]
    before, after = (float((outputs(g, data.inputs)[0] - wanted).norm()) for g in (split, repaired))
    assert after < 0.97 * before


def test_least_squares_repairs_the_factors_of_a_layer() -> None:
    """The second factor is solved for against what the whole layer wrote."""
    teacher, data = captured("plain", 512)
    split = LowRank(samples=0).apply(teacher, {"weight:conv2": 0.5, "weight:fc1": 0.5}, data)
    repaired = LeastSquares().recover(split, teacher, data, 0)
    assert difference(teacher, repaired, data.inputs) < 0.9 * difference(teacher, split, data.inputs)
