"""Ternary weights."""

from __future__ import annotations

import pytest
import torch

from methods.base import Data
from methods.graph.intake.capture import capture
from methods.graph.lower import lower
from methods.graph.values import value_of
from methods.ternary import Ternary
from tests.zoo.catalogue import network

NONE = Data((torch.zeros(0),))
SITE = "weight:fc1"


@pytest.mark.seed("twn")
def test_twn_takes_only_minus_a_zero_and_a() -> None:
    """In the graph, with the formulas of the paper, whatever training does to a."""
    graph = capture(*network("plain"))
    small = Ternary().apply(graph, {SITE: "twn"}, NONE)
    old = graph.tensor("fc1.weight").detach()
    kept = old.abs() > 0.7 * old.abs().mean()
    alpha = old.abs()[kept].mean()
    found = value_of(small, next(u for u in small.weight_uses() if u.site == SITE).node.args[1])
    torch.testing.assert_close(found, torch.where(kept, old.sign() * alpha, 0.0))
    assert len(found.unique()) == 3
    assert small.tensor("fc1.weight_level_scale").shape == (1,)


@pytest.mark.seed("ttq")
def test_gradients_of_the_two_scales_are_the_sums_over_their_members() -> None:
    """Against the gradients of a dense weight with the same values; zero's level gets none."""
    graph = capture(*network("plain"))
    small, twin = Ternary().apply(graph, {SITE: "ttq"}, NONE), graph.clone()
    found = value_of(small, next(u for u in small.weight_uses() if u.site == SITE).node.args[1])
    assert len(found.unique()) == 3
    twin.set_tensor("fc1.weight", found)
    for each in (small, twin):
        each(*graph.example(4))[0].square().sum().backward()
    dense = twin.tensor("fc1.weight").grad
    sums = [-dense[found < 0].sum(), torch.tensor(0.0), dense[found > 0].sum()]
    torch.testing.assert_close(small.tensor("fc1.weight_level_scale").grad, torch.stack(sums), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(small.tensor("fc1.weight").grad, dense)


def test_each_channel_may_have_its_own_scale() -> None:
    """A smaller error than with one for all, at the same width in the plan."""
    graph = capture(*network("plain"))
    weight = graph.tensor("conv2.weight").detach()
    errors = [float((Ternary(per_channel=p).project(weight, "twn") - weight).norm()) for p in (True, False)]
    assert errors[0] < errors[1]
    op = next(o for o in lower(Ternary(per_channel=True).apply(graph, {SITE: "twn"}, NONE)).ops if o.site == SITE)
    assert op.stored_bits == pytest.approx(1.585, abs=1e-3)
