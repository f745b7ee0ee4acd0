"""What counts as a block: sums that look like one and aren't, and some that are though they don't look it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.graph.intake.capture import capture
from methods.graph.onnx_out.check import check_export
from methods.graph.onnx_out.export import export
from methods.graph.surgery.blocks import blocks, remove_blocks
from tests.methods.graph import skippable as s

torch.set_num_threads(1)


class Towers(nn.Module):
    """Two towers that meet in a sum; neither is computed from the other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.a(x)) + F.relu(self.b(x)))


class Reused(Towers):
    """A residual sum, but what the branch computes is read by somebody else, too."""

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x).relu()
        return self.head(x + self.b(y)) + self.head(y)


class Whole(Towers):
    """All of the network is one block: without it nothing would be left."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.a(x).relu())


class Scaled(Towers):
    """The sum counts what goes around twice: that isn't what went in."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.head(torch.add(self.b(x.relu()), x, alpha=2))


class Masks(Towers):
    """The same bias is added to the scores of two layers; the second layer's scores depend on it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.ModuleList([nn.Linear(6, 6), nn.Linear(6, 6)])

    def forward(self, x: Tensor) -> Tensor:
        bias = self.b(self.a(x))
        for scores in self.scores:
            x = torch.tanh(x) * torch.softmax(scores(x) + bias, -1)
        return self.head(x)


@pytest.mark.parametrize("make", [Towers, Reused, Whole, Scaled, Masks])
def test_not_every_sum_is_a_block(make: type[nn.Module]) -> None:
    """Each of these looks like one."""
    assert blocks(capture(make(), torch.randn(2, 6))) == {}


def test_a_network_of_nothing_but_blocks_keeps_its_last() -> None:
    """Something must be left to train."""
    torch.manual_seed(0)
    graph = capture(nn.Sequential(s.Basic(4), s.Basic(4), s.Basic(4)), torch.randn(2, 4, 8, 8))
    assert list(blocks(graph)) == ["block:0", "block:1"]
    left = remove_blocks(graph, ["block:0", "block:1"])
    assert blocks(left) == {}
    assert left.parameter_count > 0


class Padded(nn.Module):
    """A ResNet's shortcut of type A: every other pixel, with empty channels beside."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 6, 3, 2, 1), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1)) + self.conv(x)
        return self.head(y.relu().mean((2, 3)))


class Spread(nn.Module):
    """A global context: one number a channel, added everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.head = nn.Conv2d(1, 4, 1), nn.Conv2d(4, 4, 1), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head((x + self.conv(x.mean((2, 3), keepdim=True))).relu().mean((2, 3)))


@pytest.mark.parametrize("make", [Padded, Spread])
def test_a_shortcut_may_be_moved_and_a_branch_spread(make: type[nn.Module]) -> None:
    """As long as what stays has the shape of the sum."""
    graph = capture(make(), s.image())
    assert list(blocks(graph)) == ["block:conv"]
    remove_blocks(graph, ["block:conv"]).check()


def test_an_output_may_be_what_went_in() -> None:
    """Two outputs, the second of which was the first and a block."""

    class Two(Towers):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = self.a(x)
            return x, x + self.b(x)

    graph = capture(Two(), torch.randn(2, 6))
    left = remove_blocks(graph, ["block:b"])
    first, second = left(*graph.example())
    assert torch.equal(first, second)
    assert check_export(left, export(left)) < 1e-5
