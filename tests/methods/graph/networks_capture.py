"""Tiny networks for capture: each does one thing that users' code does and tracing has to survive."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Cnn(nn.Module):
    """Convolutions with batch normalisation and in-place activations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 4, 3, padding="same", bias=False), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = nn.Conv2d(4, 6, 3, stride=2), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return self.head(F.hardswish(self.norm2(self.conv2(x)), inplace=True).mean((2, 3)))


class Decoder(nn.Module):
    """A causal transformer with learned positions and an output layer tied to the embedding."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(20, 8), nn.Embedding(6, 8)
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)
        self.wide, self.narrow, self.rate = nn.Linear(8, 16), nn.Linear(16, 8), dropout
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        parts = self.qkv(self.norm(x)).chunk(3, -1)
        q, k, v = (p.view(ids.shape[0], -1, 2, 4).transpose(1, 2) for p in parts)
        rate = self.rate if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + F.dropout(self.out(y.transpose(1, 2).flatten(2)), self.rate, self.training)
        return self.head(x + self.narrow(F.gelu(self.wide(x))))


class Recurrent(nn.Module):
    """A two-layer LSTM and a linear layer on its last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 6, 2, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


@dataclass
class Result:
    """What some libraries return."""

    logits: Tensor
    loss: Tensor | None = None
    hidden: tuple[Tensor, ...] = ()
    count: int = 3


class Structured(nn.Module):
    """Keyword arguments, an optional one among them, and a nested result."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.layer = nn.Embedding(11, 4), nn.Linear(4, 2)

    def forward(self, input_ids: Tensor, mask: Tensor | None = None, extra: dict[str, Tensor] | None = None) -> Result:
        x = self.tokens(input_ids)
        if mask is not None:
            x = x * mask.unsqueeze(-1)
        if extra is not None:
            x = x + extra["bias"].unsqueeze(1)
        return Result(self.layer(x), hidden=(x, x.mean(1)))


class Helped(nn.Module):
    """Two heads in training, one in evaluation (GoogLeNet does so)."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.main, self.side = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = F.dropout(torch.relu(self.body(x)), 0.5, self.training)
        return (self.main(x), self.side(x)) if self.training else self.main(x)


class Skipping(nn.Module):
    """Stochastic depth as two libraries write it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            x = x + self.first(x)
            return x + self.second(x)
        x = x + self.first(x) * x.new_empty((x.shape[0], 1)).bernoulli_(0.75).div_(0.75)
        return x + self.second(x).div(0.75) * (0.75 + torch.rand((x.shape[0], 1))).floor_()


class Adjacent(nn.Module):
    """A graph layer whose adjacency matrix is the same for every sample."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        return adjacency @ self.layer(nodes)


class Uncopyable(nn.Module):
    """Holds what can't be deep-copied, keeps a note of its last input, and has a name that isn't a word."""

    def __init__(self) -> None:
        super().__init__()
        self.lock, self.seen = threading.Lock(), 0
        self.add_module("layer-1", nn.Linear(4, 4))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return self.norm(self.get_submodule("layer-1")(x))
