"""Small residual networks whose parts can be left out in eager mode too: `part.skipped = True`."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Skippable(nn.Module):
    """Adds to its input what `branch` makes of it, unless it is skipped."""

    skipped = False

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        return x if self.skipped else x + self.branch(x, *more)


class Basic(Skippable):
    """The branch of a ResNet's basic block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)

    def branch(self, x: Tensor) -> Tensor:
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))


class Shrinking(Basic):
    """A block whose shortcut computes: it can't go."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.shortcut = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)


class ResNet(nn.Module):
    """Two stages of two blocks, activations after the sums."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.layer1 = nn.ModuleList([Basic(4), Basic(4)])
        self.layer2 = nn.ModuleList([Shrinking(4), Basic(4)])
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        for block in [*self.layer1, *self.layer2]:
            x = F.relu(block(x), inplace=True)
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    """Two heads over `[n, time, 8]`, with something added to the scores."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-2, -1) / 2 + bias
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Mlp(nn.Sequential):
    """Linear, GELU, linear."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8))


class Attends(Skippable):
    """Pre-norm attention with layer scale and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.attention, self.gamma = nn.LayerNorm(8), Attention(), nn.Parameter(torch.rand(8) + 0.5)

    def branch(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.gamma * F.dropout(self.attention(self.norm(x), bias), 0.1, self.training)


class Thinks(Skippable):
    """Pre-norm MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mlp = nn.LayerNorm(8), Mlp()

    def branch(self, x: Tensor) -> Tensor:
        return self.mlp(self.norm(x))


class PreNorm(nn.Module):
    """Two layers over tokens, with a mask of the attention as second input."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)
        self.layers = nn.ModuleList([nn.ModuleDict({"a": Attends(), "m": Thinks()}) for _ in range(2)])

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer["m"](layer["a"](x, bias[:, None]))
        return self.head(x.mean(1))


class PostNorm(nn.Module):
    """torch's own encoder layers: the norm of a sum."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.TransformerEncoderLayer(8, 2, 12, dropout=0.1, batch_first=True) for _ in range(2)]
        self.embed, self.layers, self.head = nn.Embedding(20, 8), nn.ModuleList(layers), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


class Beside(Skippable):
    """Attention and MLP of the same normalised input, side by side, summed in one of two orders."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.norm, self.attention, self.mlp, self.last = nn.LayerNorm(8), Attention(), Mlp(), last

    def forward(self, x: Tensor) -> Tensor:
        if self.skipped:
            return x
        y = self.norm(x)
        a, m = self.attention(y, torch.zeros(())), self.mlp(y)
        return a + m + x if self.last else x + a + m


class Parallel(nn.Module):
    """Two such layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)
        self.first, self.second = Beside(True), Beside(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.embed(x))).mean(1))


class Hourglass(Skippable):
    """Down, a block of its own, up again; added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.middle, self.up = nn.Conv2d(4, 4, 3, padding=1), Basic(4), nn.Conv2d(4, 4, 1)

    def branch(self, x: Tensor) -> Tensor:
        y = self.middle(F.avg_pool2d(F.relu(self.down(x)), 2))
        return self.up(F.interpolate(y, scale_factor=2.0))


class Nested(nn.Module):
    """A block within a block."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.glass, self.head = nn.Conv2d(1, 4, 3, padding=1), Hourglass(), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.glass(self.stem(x)))


class Shared(nn.Module):
    """One block run three times, as ALBERT does with its layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block, self.head = nn.Linear(6, 8), Thinks(), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.block(self.block(self.stem(x)))))


def image() -> Tensor:
    return torch.randn(2, 1, 8, 8)


def tokens() -> Tensor:
    return torch.randint(0, 20, (2, 5))
