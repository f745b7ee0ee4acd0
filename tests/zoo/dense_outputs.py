"""Networks that make an image from an image: U-Nets, other encoder-decoders, an autoencoder, super-resolution."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.parts import conv_norm


def twice(given: int, made: int) -> nn.Sequential:
    """Two convolutions with normalisation."""
    return nn.Sequential(conv_norm(given, made), conv_norm(made, made))


class UNet(nn.Module):
    """Two levels with skip concatenations; upsampling by transposed convolutions or bilinear."""

    def __init__(self, bilinear: bool) -> None:
        super().__init__()
        self.down1, self.down2, self.bottom = twice(3, 6), twice(6, 10), twice(10, 16)
        self.rise2 = self.rise(16, 10, bilinear)
        self.rise1 = self.rise(10, 6, bilinear)
        self.up2, self.up1, self.head = twice(20, 10), twice(12, 6), nn.Conv2d(6, 2, 1)

    def rise(self, given: int, made: int, bilinear: bool) -> nn.Module:
        if not bilinear:
            return nn.ConvTranspose2d(given, made, 2, stride=2)
        return nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(given, made, 1))

    def forward(self, x: Tensor) -> Tensor:
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        x = self.rise2(self.bottom(F.max_pool2d(two, 2)))
        x = self.rise1(self.up2(torch.cat([two, x], dim=1)))
        return self.head(self.up1(torch.cat([one, x], dim=1)))


def unet_transposed() -> nn.Module:
    """U-Net that rises by transposed convolutions."""
    return UNet(bilinear=False)


def unet_bilinear() -> nn.Module:
    """U-Net that rises by bilinear interpolation."""
    return UNet(bilinear=True)


class Pyramid(nn.Module):
    """A feature pyramid: side convolutions of every level are added to the interpolated level above."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = conv_norm(3, 6), conv_norm(6, 10, 3, 2), conv_norm(10, 14, 3, 2)
        self.sides = nn.ModuleList(nn.Conv2d(n, 8, 1) for n in (6, 10, 14))
        self.smooth, self.head = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        one = self.one(x)
        two = self.two(one)
        top = self.sides[2](self.three(two))
        middle = self.sides[1](two) + F.interpolate(top, size=two.shape[-2:], mode="nearest")
        low = self.sides[0](one) + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        return self.head(F.relu(self.smooth(low))), self.head(F.relu(self.smooth(middle)))


class Segmenter(nn.Module):
    """Dilated convolutions in parallel over the deepest map, one of them over its mean, interpolated to full size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = conv_norm(3, 8, 3, 2), conv_norm(8, 12, 3, 2)
        self.arms = nn.ModuleList(nn.Conv2d(12, 6, 3, padding=d, dilation=d) for d in (1, 2))
        self.mean, self.join, self.head = nn.Conv2d(12, 6, 1), conv_norm(18, 8, 1), nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.deep(self.stem(x))
        mean = F.relu(self.mean(F.adaptive_avg_pool2d(y, 1))).expand(-1, -1, y.shape[2], y.shape[3])
        y = self.head(self.join(torch.cat([*(F.relu(arm(y)) for arm in self.arms), mean], 1)))
        return F.interpolate(y, size=(16, 16), mode="bilinear", align_corners=True)


class Autoencoder(nn.Module):
    """A narrow code between convolutions and transposed convolutions; gives the image and the code."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 6, 3, 2, 1), nn.Conv2d(6, 10, 3, 2, 1)
        self.code, self.widen = nn.Linear(160, 8), nn.Linear(8, 160)
        self.three = nn.ConvTranspose2d(10, 6, 3, 2, 1, output_padding=1)
        self.four = nn.ConvTranspose2d(6, 1, 3, 2, 1, output_padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.leaky_relu(self.two(F.leaky_relu(self.one(x), 0.2)), 0.2)
        code = self.code(x.flatten(1))
        x = F.relu(self.widen(code)).unflatten(1, (10, 4, 4))
        return torch.sigmoid(self.four(F.relu(self.three(x)))), code


class SuperResolution(nn.Module):
    """Residual blocks without normalisation, a global skip, and a pixel shuffle; PReLU with a slope per channel."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.slope = nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8)
        self.inner, self.outer = nn.Conv2d(8, 10, 3, padding=1), nn.Conv2d(10, 8, 3, padding=1)
        self.spread, self.shuffle = nn.Conv2d(8, 24, 3, padding=1), nn.PixelShuffle(2)
        self.last = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slope(self.stem(x))
        y = x + self.outer(torch.relu(self.inner(x))) * 0.1
        return self.last(self.shuffle(self.spread(y + x)))
