"""Plain and residual convolutional networks: VGG-, ResNet-, ResNeXt- and RegNet-like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.parts import Classifier, SqueezeExcite, conv_norm


class Vgg(nn.Module):
    """Pairs of convolutions and pooling; a classifier of linear layers over the flattened map."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given, made in ((3, 8), (8, 16)):
            layers += [nn.Conv2d(given, made, 3, padding=1), nn.ReLU(inplace=True)]
            layers += [nn.Conv2d(made, made, 3, padding=1), nn.BatchNorm2d(made), nn.ReLU(), nn.MaxPool2d(2)]
        self.features, self.pool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Linear(64, 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


class Basic(nn.Module):
    """Two 3 x 3 convolutions and a shortcut, projected where the shape changes."""

    def __init__(self, given: int, made: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(given, made, 3, stride, 1, bias=False), nn.BatchNorm2d(made)
        self.conv2, self.bn2 = nn.Conv2d(made, made, 3, 1, 1, bias=False), nn.BatchNorm2d(made)
        same = given == made and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(given, made, 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        y += self.shortcut(x)
        return F.relu(y)


class Bottleneck(nn.Module):
    """1 x 1, grouped 3 x 3, optional squeeze-excite, 1 x 1, and a shortcut."""

    def __init__(self, given: int, inner: int, made: int, stride: int = 1, groups: int = 1, gate: int = 0) -> None:
        super().__init__()
        self.narrow, self.middle = conv_norm(given, inner, 1), conv_norm(inner, inner, 3, stride, groups)
        self.gate = SqueezeExcite(inner, gate) if gate else nn.Identity()
        self.widen = conv_norm(inner, made, 1, act=None)
        same = given == made and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(given, made, 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.widen(self.gate(self.middle(self.narrow(x)))) + self.shortcut(x))


class ResNet(nn.Module):
    """Stem with max pooling, then blocks."""

    def __init__(self, channels: int, blocks: list[nn.Module], out: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, channels, 3)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.blocks, self.head = nn.Sequential(*blocks), Classifier(out)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.pool(self.stem(x))))


def resnet_basic() -> nn.Module:
    """As ResNet-18: basic blocks, two stages."""
    return ResNet(8, [Basic(8, 8), Basic(8, 8), Basic(8, 16, 2), Basic(16, 16)], 16)


def resnet_bottleneck() -> nn.Module:
    """As ResNet-50: bottlenecks, two stages."""
    return ResNet(8, [Bottleneck(8, 6, 16), Bottleneck(16, 6, 16), Bottleneck(16, 12, 24, 2)], 24)


def resnext() -> nn.Module:
    """As ResNeXt: bottlenecks with four groups."""
    return ResNet(8, [Bottleneck(8, 16, 16, 1, 4), Bottleneck(16, 16, 16, 1, 4), Bottleneck(16, 32, 24, 2, 4)], 24)


def regnet() -> nn.Module:
    """As RegNetY: groups of constant width (4), squeeze-excite."""
    blocks = [Bottleneck(8, 12, 12, 2, 3, 4), Bottleneck(12, 12, 12, 1, 3, 4), Bottleneck(12, 24, 24, 2, 6, 4)]
    return ResNet(8, [*blocks], 24)


class Wide(nn.Module):
    """Pre-activation residual blocks: normalisation and activation come before the convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.out = nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.BatchNorm2d(12)
        self.norms = nn.ModuleList(nn.BatchNorm2d(12) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(12, 12, 3, padding=1) for _ in range(2))
        self.head = Classifier(12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for norm, conv in zip(self.norms, self.convs):
            x = x + conv(F.relu(norm(x)))
        return self.head(F.relu(self.out(x)))


class Video(nn.Module):
    """Convolutions over time and image, `[N, 3, 4, 8, 8]` to `[N, 5]`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv3d(3, 8, 3, padding=1, bias=False), nn.BatchNorm3d(8)
        self.conv2, self.norm2 = nn.Conv3d(8, 12, (1, 3, 3), padding=(0, 1, 1)), nn.BatchNorm3d(12)
        self.pool, self.head = nn.AdaptiveAvgPool3d(1), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool3d(F.relu(self.norm1(self.conv1(x))), 2)
        return self.head(torch.flatten(self.pool(F.relu(self.norm2(self.conv2(x)))), 1))
