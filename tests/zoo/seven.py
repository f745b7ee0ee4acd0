"""Small networks as users write them, one for each way in which channels can be tied together."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Plain(nn.Module):
    """Convolutions, pooling, a hard-coded view and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 12, 3)
        self.fc1, self.fc2 = nn.Linear(12 * 16, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu_(self.conv2(torch.relu(self.conv1(x)))), 2)
        return self.fc2(torch.relu(self.fc1(x.view(-1, 192))))


class Residual(nn.Module):
    """A residual block with batch normalisation and squeeze-excite."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.conv1, self.norm1 = nn.Conv2d(8, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm0(self.stem(x)), inplace=True)
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        return self.head(F.adaptive_avg_pool2d(F.relu(x + y * gate), 1).flatten(1))


class Depthwise(nn.Module):
    """An inverted residual: expand, depthwise, project."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(1, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.expand, self.norm1 = nn.Conv2d(6, 12, 1, bias=False), nn.BatchNorm2d(12)
        self.depth, self.norm2 = nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False), nn.BatchNorm2d(12)
        self.project, self.norm3 = nn.Conv2d(12, 6, 1, bias=False), nn.BatchNorm2d(6)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu6(self.norm0(self.stem(x)))
        y = F.hardswish(self.norm2(self.depth(F.relu6(self.norm1(self.expand(x))))))
        return self.head((x + self.norm3(self.project(y))).mean((2, 3)))


class Dense(nn.Module):
    """Concatenation, a split into two branches, and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 6, 3, padding=1)
        self.norm, self.c = nn.BatchNorm2d(14), nn.Conv2d(14, 8, 1)
        self.d, self.head = nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.Linear(8 * 16, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = self.a(x)
        x = F.relu(self.norm(torch.cat([a, self.b(a)], 1)))
        left, right = self.c(x).chunk(2, 1)
        x = F.avg_pool2d(torch.cat([left, self.d(right)], 1), 2)
        return self.head(F.dropout(x.reshape(x.shape[0], -1), 0.2, self.training))


class Shuffle(nn.Module):
    """A channel shuffle, which has to freeze the channels that it mixes."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Conv2d(1, 8, 1), nn.Conv2d(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(torch.relu(self.b(x)).mean((2, 3)))


class Transformer(nn.Module):
    """Token embedding and one encoder layer: layer normalisation and attention freeze all but the MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(self.embed(x)).mean(1))


class Recurrent(nn.Module):
    """A bidirectional LSTM in front of linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(6, 8, batch_first=True, bidirectional=True)
        self.hidden, self.head = nn.Linear(16, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.hidden(self.lstm(x)[0][:, -1])))
