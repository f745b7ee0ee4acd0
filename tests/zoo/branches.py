"""Convolutional networks that concatenate: GoogLeNet-, Inception-, DenseNet- and SqueezeNet-like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.parts import Classifier, conv_norm


class Inception(nn.Module):
    """Four branches of different reach, concatenated."""

    def __init__(self, given: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        one, three, five, pooled = widths
        self.one = conv_norm(given, one, 1)
        self.three = nn.Sequential(conv_norm(given, three // 2, 1), conv_norm(three // 2, three, 3))
        self.five = nn.Sequential(conv_norm(given, five // 2, 1), conv_norm(five // 2, five, 5))
        self.pooled = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv_norm(given, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pooled(x)], 1)


class GoogLeNet(nn.Module):
    """Local response normalisation is left out, as in everything since; a helper head in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(conv_norm(3, 8, 3, 2), nn.MaxPool2d(3, 2, ceil_mode=True))
        self.first, self.second = Inception(8, (4, 8, 4, 4)), Inception(20, (6, 8, 6, 4))
        self.helper, self.head = Classifier(20), Classifier(24, dropout=0.2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(self.stem(x))
        return self.head(self.second(x)), self.helper(x)


class Factored(nn.Module):
    """Inception v3's blocks: 1 x 3 and 3 x 1 convolutions side by side, and a halving of the map by two ways."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.narrow = conv_norm(3, 8), nn.Conv2d(8, 6, 1)
        self.wide, self.tall = nn.Conv2d(6, 4, (1, 3), padding=(0, 1)), nn.Conv2d(6, 4, (3, 1), padding=(1, 0))
        self.mean, self.halve = nn.Conv2d(8, 4, 1), nn.Conv2d(12, 8, 3, stride=2)
        self.head = Classifier(20)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem((x - 0.5) / 0.5)
        y = F.relu(self.narrow(x))
        x = F.relu(torch.cat([torch.cat([self.wide(y), self.tall(y)], 1), self.mean(F.avg_pool2d(x, 3, 1, 1))], 1))
        return self.head(torch.cat([self.halve(x), F.max_pool2d(x, 3, stride=2)], 1))


class DenseLayer(nn.Module):
    """Normalise, 1 x 1, normalise, 3 x 3; what it makes is joined to what it read."""

    def __init__(self, given: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(given), nn.Conv2d(given, 2 * growth, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(2 * growth), nn.Conv2d(2 * growth, growth, 3, padding=1, bias=False)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = self.conv1(F.relu(self.norm1(torch.cat(features, 1))))
        return F.dropout(self.conv2(F.relu(self.norm2(x))), 0.1, self.training)


class DenseNet(nn.Module):
    """Two dense blocks with a transition between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_norm(3, 8)
        self.first = nn.ModuleList(DenseLayer(8 + 4 * i, 4) for i in range(3))
        self.between = nn.Sequential(nn.BatchNorm2d(20), nn.ReLU(True), nn.Conv2d(20, 10, 1), nn.AvgPool2d(2, 2))
        self.second = nn.ModuleList(DenseLayer(10 + 4 * i, 4) for i in range(2))
        self.norm, self.head = nn.BatchNorm2d(18), nn.Linear(18, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self.block(self.first, self.stem(x)))
        x = F.relu(self.norm(self.block(self.second, x)), inplace=True)
        return self.head(torch.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))

    def block(self, layers: nn.ModuleList, x: Tensor) -> Tensor:
        features = [x]
        for layer in layers:
            features.append(layer(features))
        return torch.cat(features, 1)


class Fire(nn.Module):
    """Squeeze by 1 x 1, expand by 1 x 1 and 3 x 3 side by side."""

    def __init__(self, given: int, inner: int, made: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(given, inner, 1)
        self.one, self.three = nn.Conv2d(inner, made, 1), nn.Conv2d(inner, made, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x), inplace=True)
        return torch.cat([F.relu(self.one(x)), F.relu(self.three(x))], 1)


def squeezenet() -> nn.Module:
    """Fire modules; the classifier is a 1 x 1 convolution under a global mean."""
    stem = [nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)]
    head = [nn.Dropout(0.5), nn.Conv2d(24, 5, 1), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()]
    return nn.Sequential(*stem, Fire(8, 4, 8), Fire(16, 6, 12), *head)
