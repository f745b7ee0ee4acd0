"""Sizes of all that belongs to a unit, each layer in units of its own mean."""

from __future__ import annotations

import torch
from torch import nn

from methods.base import Data
from methods.graph.intake.capture import capture
from methods.importance.catalogue import importance


def test_makers_and_readers_count_alike_whatever_their_scale() -> None:
    """By hand: relative row sums of one layer plus relative column sums of the next; scaling changes nothing."""
    net = nn.Sequential(nn.Linear(3, 2, bias=False), nn.ReLU(), nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -1.0, 1.0], [0.5, 0.5, 0.0]]))
        net[2].weight.copy_(torch.tensor([[100.0, 300.0], [-100.0, 300.0]]))
    graph = capture(net, torch.zeros(2, 3))
    (scores,) = importance("group-magnitude").score(graph, Data(graph.example(1))).values()
    assert torch.allclose(scores, torch.tensor([3 / 2 + 200 / 400, 1 / 2 + 600 / 400], dtype=torch.float64))
    graph.set_tensor("2.weight", graph.tensor("2.weight") / 1000)
    (again,) = importance("group-magnitude").score(graph, Data(graph.example(1))).values()
    assert torch.allclose(scores, again)
