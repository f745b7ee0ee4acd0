"""Networks of depthwise convolutions: MobileNet 1 to 3, EfficientNet, and the two ShuffleNets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.zoo.parts import Classifier, DropPath, SqueezeExcite, conv_norm


class Inverted(nn.Module):
    """Expand, depthwise, squeeze-excite, project; a shortcut where the shape stays."""

    def __init__(
        self, given: int, inner: int, made: int, act: type[nn.Module], stride: int = 1, gate: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.expand, self.depth = conv_norm(given, inner, 1, act=act), conv_norm(inner, inner, 3, stride, inner, act)
        self.gate, self.project = gate or nn.Identity(), conv_norm(inner, made, 1, act=None)
        self.drop, self.residual = DropPath(0.0), given == made and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.gate(self.depth(self.expand(x))))
        return x + self.drop(y) if self.residual else y


def mobilenet_v1() -> nn.Module:
    """Depthwise and pointwise convolutions in turn."""
    layers: list[nn.Module] = [conv_norm(3, 8, 3, 2)]
    for given, made, stride in ((8, 12, 1), (12, 16, 2), (16, 16, 1)):
        layers += [conv_norm(given, given, 3, stride, given), conv_norm(given, made, 1)]
    return nn.Sequential(*layers, Classifier(16))


def mobilenet_v2() -> nn.Module:
    """Inverted residuals with linear bottlenecks and ReLU6."""
    act = nn.ReLU6
    blocks = [Inverted(8, 16, 8, act), Inverted(8, 24, 12, act, 2), Inverted(12, 24, 12, act)]
    return nn.Sequential(conv_norm(3, 8, 3, 2, act=act), *blocks, conv_norm(12, 20, 1, act=act), Classifier(20))


def mobilenet_v3() -> nn.Module:
    """Inverted residuals with hard swish and squeeze-excite; a wide head without normalisation."""
    gates = [SqueezeExcite(n, 8, gate=nn.Hardsigmoid) for n in (16, 24)]
    blocks = [Inverted(8, 16, 8, nn.ReLU, gate=gates[0]), Inverted(8, 24, 12, nn.Hardswish, 2, gates[1])]
    last = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(16, 20, 1), nn.Hardswish(True), nn.Flatten(), nn.Dropout(0.2)]
    stem = conv_norm(3, 8, 3, 2, act=nn.Hardswish)
    return nn.Sequential(stem, *blocks, conv_norm(12, 16, 1, act=nn.Hardswish), *last, nn.Linear(20, 5))


def efficientnet() -> nn.Module:
    """MBConv blocks: SiLU, squeeze-excite, stochastic depth on the shortcut's branch."""
    blocks = [
        Inverted(8, 16, 8, nn.SiLU, gate=SqueezeExcite(16, 4, nn.SiLU)),
        Inverted(8, 24, 12, nn.SiLU, 2, SqueezeExcite(24, 4, nn.SiLU)),
        Inverted(12, 24, 12, nn.SiLU, 1, SqueezeExcite(24, 4, nn.SiLU)),
    ]
    for number, block in enumerate(blocks):
        block.drop.rate = 0.1 * number
    return nn.Sequential(
        conv_norm(3, 8, 3, 2, act=nn.SiLU), *blocks, conv_norm(12, 16, 1, act=nn.SiLU), Classifier(16, dropout=0.2)
    )


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Channels of all groups in turn: `[N, C, H, W]` to the same shape."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class ShuffleUnit1(nn.Module):
    """Grouped 1 x 1, shuffle, depthwise, grouped 1 x 1; added, or concatenated where the size is halved."""

    def __init__(self, given: int, inner: int, made: int, stride: int, groups: int = 2) -> None:
        super().__init__()
        self.stride, self.groups = stride, groups
        out = made if stride == 1 else made - given
        self.narrow, self.depth = conv_norm(given, inner, 1, 1, groups), conv_norm(inner, inner, 3, stride, inner, None)
        self.widen, self.pool = conv_norm(inner, out, 1, 1, groups, None), nn.AvgPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.widen(self.depth(shuffle(self.narrow(x), self.groups)))
        return torch.relu(x + y if self.stride == 1 else torch.cat([self.pool(x), y], 1))


class ShuffleUnit2(nn.Module):
    """Half of the channels pass, half are convolved; the two halves are shuffled."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.stride, half = stride, channels // 2
        given = half if stride == 1 else channels
        self.right = nn.Sequential(
            conv_norm(given, half, 1), conv_norm(half, half, 3, stride, half, None), conv_norm(half, half, 1)
        )
        self.left = nn.Sequential(conv_norm(channels, channels, 3, 2, channels, None), conv_norm(channels, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            left, right = x.chunk(2, dim=1)
            return shuffle(torch.cat((left, self.right(right)), dim=1), 2)
        return shuffle(torch.cat((self.left(x), self.right(x)), dim=1), 2)


def shufflenet_v1() -> nn.Module:
    """Grouped pointwise convolutions with channel shuffles."""
    units = [ShuffleUnit1(8, 8, 16, 2), ShuffleUnit1(16, 8, 16, 1), ShuffleUnit1(16, 12, 24, 2)]
    return nn.Sequential(conv_norm(3, 8, 3), *units, Classifier(24))


def shufflenet_v2() -> nn.Module:
    """Channel split, concatenation, shuffle."""
    units = [ShuffleUnit2(12, 2), ShuffleUnit2(12, 1), ShuffleUnit2(12, 1)]
    return nn.Sequential(conv_norm(3, 12, 3), *units, conv_norm(12, 16, 1), Classifier(16))
