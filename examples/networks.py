"""Four small networks as anybody would write them in PyTorch; nothing in them knows about Fitwright."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class LeNet5(nn.Module):
    """The LeNet-5 that compression papers report on: 431,080 parameters, images `[n, 1, 28, 28]`, ten classes.

    LeCun et al., Gradient-based learning applied to document recognition, 1998, with the widths of Caffe's example
    (20 and 50 convolution channels, 500 hidden units).
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(800, 500)
        self.fc2 = nn.Linear(500, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv1(x))
        x = self.pool(self.conv2(x))
        x = torch.relu(self.fc1(x.flatten(1)))
        scores: Tensor = self.fc2(x)
        return scores


class DigitsCNN(nn.Module):
    """A small convolutional network for images `[n, 1, 8, 8]`: three convolutions with batch norm, ten classes."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(2 * width, 4 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(4 * width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
        )
        self.classifier = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.features(x).flatten(1))
        return scores


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to their input (He et al. 2015, arXiv:1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResidualDigits(nn.Module):
    """Shaped like the ResNet-20 for small images: three stages of `blocks` at 1, 2 and 4 times `width`, ten classes."""

    def __init__(self, width: int = 8, blocks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        widths = [width] * (blocks + 1) + [2 * width] * blocks + [4 * width] * blocks
        steps = (ResidualBlock(a, b, stride=1 if a == b else 2) for a, b in pairwise(widths))
        self.blocks = nn.Sequential(*steps)
        self.classifier = nn.Linear(4 * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.blocks(self.stem(x)).mean((2, 3)))
        return scores


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow (Sandler et al. 2018, arXiv:1801.04381)."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int = 4) -> None:
        super().__init__()
        hidden = inputs * expand
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, hidden, 3, stride, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.adds else y


class DepthwiseDigits(nn.Module):
    """Shaped like MobileNetV2 for images `[n, 1, H, W]`: a stem, five inverted residuals, a 1x1 head, ten classes."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU6())
        self.blocks = nn.Sequential(
            InvertedResidual(width, width, stride=1),
            InvertedResidual(width, 2 * width, stride=2),
            InvertedResidual(2 * width, 2 * width, stride=1),
            InvertedResidual(2 * width, 3 * width, stride=2),
            InvertedResidual(3 * width, 3 * width, stride=1),
        )
        self.head = nn.Sequential(nn.Conv2d(3 * width, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU6())
        self.classifier = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.classifier(self.head(self.blocks(self.stem(x))).mean((2, 3)))
        return scores


def lenet5() -> nn.Module:
    """LeNet-5 for `[n, 1, 28, 28]`, untrained."""
    return LeNet5()


def digits_cnn() -> nn.Module:
    """A small convolutional network for `[n, 1, 8, 8]`, untrained."""
    return DigitsCNN()


def residual_digits() -> nn.Module:
    """A residual network for `[n, 1, 8, 8]` or `[n, 1, 28, 28]`, untrained."""
    return ResidualDigits()


def residual_fashion(width: int = 8, blocks: int = 3) -> nn.Module:
    """The ResNet-20 of half the usual width for `[n, 1, 28, 28]`: 68,642 parameters, untrained."""
    return ResidualDigits(width, blocks)


def depthwise_digits() -> nn.Module:
    """A depthwise-separable network for `[n, 1, 8, 8]` or `[n, 1, 28, 28]`, untrained."""
    return DepthwiseDigits()
