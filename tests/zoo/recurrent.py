"""Networks over time: LSTM and GRU in several forms, convolutions under a GRU, and causal convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class LastState(nn.Module):
    """A recurrent network whose last output is classified; `[N, 6, 5]` to `[N, 4]`."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU], layers: int, both: bool) -> None:
        super().__init__()
        drop = 0.1 if layers > 1 else 0.0
        self.rnn = kind(5, 8, layers, batch_first=True, dropout=drop, bidirectional=both)
        self.hidden, self.head = nn.Linear(16 if both else 8, 10), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.hidden(self.rnn(x)[0][:, -1, :])))


def lstm() -> nn.Module:
    """LSTM of one layer."""
    return LastState(nn.LSTM, 1, False)


def lstm_deep() -> nn.Module:
    """LSTM of two layers in both directions, with dropout between them."""
    return LastState(nn.LSTM, 2, True)


def gru() -> nn.Module:
    """GRU of one layer."""
    return LastState(nn.GRU, 1, False)


def gru_deep() -> nn.Module:
    """GRU of two layers in both directions."""
    return LastState(nn.GRU, 2, True)


class Tagger(nn.Module):
    """Tokens, an LSTM, one class per token, and the final hidden state as a summary."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm = nn.Embedding(30, 8), nn.LSTM(8, 10, batch_first=True)
        self.head, self.summary = nn.Linear(10, 4), nn.Linear(20, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        states, (hidden, cell) = self.lstm(self.embed(x))
        return self.head(states), self.summary(torch.cat([hidden[-1], cell[-1]], dim=-1))


class Crnn(nn.Module):
    """Text recognition: convolutions, columns of the map as time, a GRU in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.norm, self.gru = nn.BatchNorm2d(8), nn.GRU(16, 10, bidirectional=True, batch_first=True)
        self.head = nn.Linear(20, 7)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.norm(self.conv2(x))), (2, 1))
        n, c, h, w = x.shape
        x = x.permute(0, 3, 1, 2).reshape(n, w, c * h)
        return self.head(self.gru(x)[0]).log_softmax(-1)


class CausalBlock(nn.Module):
    """Two dilated convolutions that see only the past, weight-normalised or not, beside a shortcut."""

    def __init__(self, given: int, made: int, dilation: int, normalised: bool) -> None:
        super().__init__()
        wrap = weight_norm if normalised else nn.Identity()
        self.reach = 2 * dilation
        self.conv1 = wrap(nn.Conv1d(given, made, 3, padding=self.reach, dilation=dilation))
        self.conv2 = wrap(nn.Conv1d(made, made, 3, padding=self.reach, dilation=dilation))
        self.shortcut = nn.Conv1d(given, made, 1) if given != made else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.dropout(F.relu(self.conv1(x)[:, :, : -self.reach].contiguous()), 0.1, self.training)
        y = F.relu(self.conv2(y)[..., : -self.reach])
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Temporal(nn.Module):
    """A temporal convolutional network, `[N, 4, 16]` to `[N, 3]`; reads the last step."""

    def __init__(self, normalised: bool = False) -> None:
        super().__init__()
        sizes = ((4, 8, 1), (8, 8, 2), (8, 12, 4))
        self.blocks = nn.Sequential(*(CausalBlock(*size, normalised) for size in sizes))
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(x)[:, :, -1])


def temporal_normalised() -> nn.Module:
    """The same with weight normalisation, so that a convolution's weight is computed from two parameters."""
    return Temporal(normalised=True)


class Gated(nn.Module):
    """Causal convolutions of a WaveNet: a tanh and a sigmoid half, a residual and a skip path."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(2, 8, 1)
        self.dilated = nn.ModuleList(nn.Conv1d(8, 12, 2, dilation=d) for d in (1, 2))
        self.back, self.skip = (nn.ModuleList(nn.Conv1d(6, n, 1) for _ in range(2)) for n in (8, 10))
        self.head = nn.Conv1d(10, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.stem(x), torch.zeros((), dtype=x.dtype, device=x.device)
        for step, (dilated, back, skip) in enumerate(zip(self.dilated, self.back, self.skip)):
            gate, value = dilated(F.pad(x, (2**step, 0))).chunk(2, 1)
            y = torch.sigmoid(gate) * torch.tanh(value)
            x, total = x + back(y), total + skip(y)
        return self.head(F.relu(total))
