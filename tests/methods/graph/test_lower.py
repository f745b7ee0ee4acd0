"""Lowering: what a graph becomes for a device."""

from __future__ import annotations

import torch
from torch import nn

from methods.graph.intake.capture import capture
from methods.graph.lower import lower


def test_a_network_of_any_depth_is_lowered() -> None:
    """A chain of six hundred operators, deeper than Python may recurse with a call for each."""
    graph = capture(nn.Sequential(*[nn.Tanh() for _ in range(600)], nn.Linear(4, 4)), torch.zeros(2, 4))
    assert len(lower(graph).ops) == 601
