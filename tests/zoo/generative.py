"""Generators and their critics, and networks with group and instance normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.parts import Classifier


class Generator(nn.Module):
    """Noise, a linear layer, a view, transposed convolutions with batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.start, self.norm0 = nn.Linear(8, 12 * 16, bias=False), nn.BatchNorm1d(12 * 16)
        self.up1, self.norm1 = nn.ConvTranspose2d(12, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.up2 = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.norm0(self.start(z))).view(-1, 12, 4, 4)
        return torch.tanh(self.up2(F.relu(self.norm1(self.up1(x)))))


class Critic(nn.Module):
    """The other side: strided convolutions, leaky activations, a score."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 12, 4, 2, 1, bias=False)
        self.norm, self.score = nn.BatchNorm2d(12), nn.Conv2d(12, 1, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu_(self.conv1(x), 0.2)
        return self.score(F.leaky_relu(self.norm(self.conv2(x)), 0.2)).view(-1)


class GroupNorms(nn.Module):
    """A residual network with group normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm0 = nn.Conv2d(3, 12, 3, 2, 1), nn.GroupNorm(3, 12)
        self.conv1, self.norm1 = nn.Conv2d(12, 8, 3, padding=1), nn.GroupNorm(4, 8)
        self.conv2, self.norm2 = nn.Conv2d(8, 12, 3, padding=1), nn.GroupNorm(1, 12)
        self.last, self.head = nn.Conv2d(12, 10, 1), Classifier(10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.silu(self.norm0(self.stem(x)))
        x = x + self.norm2(self.conv2(F.silu(self.norm1(self.conv1(x)))))
        return self.head(F.silu(self.last(x)))


class Stylist(nn.Module):
    """Style transfer: reflection padding, instance normalisation, nearest upsampling."""

    def __init__(self) -> None:
        super().__init__()
        self.pad, self.stem, self.norm1 = nn.ReflectionPad2d(1), nn.Conv2d(3, 8, 3), nn.InstanceNorm2d(8, affine=True)
        self.down, self.norm2 = nn.Conv2d(8, 10, 3, 2, 1), nn.InstanceNorm2d(10)
        self.middle, self.norm3 = nn.Conv2d(10, 10, 3, padding=1), nn.InstanceNorm2d(10, affine=True)
        self.up, self.last = nn.Conv2d(10, 8, 3, padding=1), nn.Conv2d(8, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.stem(self.pad(x))))
        x = F.relu(self.norm2(self.down(x)))
        x = x + self.norm3(self.middle(x))
        x = F.relu(self.up(F.interpolate(x, scale_factor=2, mode="nearest")))
        return torch.tanh(self.last(self.pad(x)))


class Variational(nn.Module):
    """The deterministic part of a variational autoencoder: mean, log variance, and the mean's image."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.mean, self.spread = nn.Linear(36, 16), nn.Linear(16, 4), nn.Linear(16, 4)
        self.decode, self.out = nn.Linear(4, 16), nn.Linear(16, 36)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        hidden = F.elu(self.encode(x.flatten(1)))
        mean = self.mean(hidden)
        image = torch.sigmoid(self.out(F.elu(self.decode(mean)))).view_as(x)
        return {"image": image, "mean": mean, "log_variance": self.spread(hidden)}
