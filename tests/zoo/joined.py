"""Networks whose form is unusual: several inputs or outputs, layers used twice, buffers, in-place writes, views."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def mlp() -> nn.Module:
    """Linear layers with batch normalisation; `[N, 10]` to `[N, 4]`."""
    first, second = [nn.Linear(10, 24), nn.BatchNorm1d(24), nn.ReLU()], [nn.Linear(24, 16), nn.Tanh(), nn.Dropout(0.1)]
    return nn.Sequential(*first, *second, nn.Linear(16, 4))


class Siamese(nn.Module):
    """One encoder for two images; the distance of the codes is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 12, 3, 2, 1)
        self.code, self.head = nn.Linear(12, 10), nn.Linear(10, 2)

    def encode(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.code(x.mean((2, 3)))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.head(torch.abs(self.encode(a) - self.encode(b)))


class TwoInputs(nn.Module):
    """An image and numbers, joined late."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.numbers = nn.Conv2d(3, 8, 3, 2), nn.Linear(6, 10)
        self.join, self.head = nn.Linear(18, 12), nn.Linear(12, 3)

    def forward(self, image: Tensor, numbers: Tensor) -> Tensor:
        x = F.adaptive_max_pool2d(F.relu(self.conv(image)), 1).squeeze(-1).squeeze(-1)
        x = torch.cat([x, F.softplus(self.numbers(numbers))], dim=-1)
        return self.head(F.relu(self.join(x)))


class TwoOutputs(nn.Module):
    """One trunk, a class and four coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.hidden = nn.Conv2d(3, 10, 3, 2), nn.Linear(10, 12)
        self.label, self.place = nn.Linear(12, 3), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.trunk(x)).amax((2, 3))
        return self.label(F.relu(self.hidden(x))), self.place(x)


class NamedOutputs(nn.Module):
    """Outputs in a dictionary, one of them nested."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.label, self.score = nn.Linear(8, 14), nn.Linear(14, 3), nn.Linear(14, 1)

    def forward(self, x: Tensor) -> dict[str, object]:
        x = F.selu(self.trunk(x))
        return {"label": self.label(x), "extra": {"score": self.score(x).squeeze(1)}}


class UsedTwice(nn.Module):
    """One convolution and one normalisation applied twice in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.again, self.norm = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(2):
            x = F.relu(self.norm(self.again(x)))
        return self.head(x.mean(dim=(-1, -2)))


class Buffered(nn.Module):
    """Constants of normalisation and a fixed mask of channels as buffers, and a plain tensor attribute."""

    mean: Tensor
    kept: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.4, 0.3]).view(1, 3, 1, 1))
        self.register_buffer("kept", torch.linspace(0.5, 1.5, 8).view(-1, 1, 1))
        self.spread = torch.tensor([0.2, 0.3, 0.25])[:, None, None]
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv((x - self.mean) / self.spread)
        return self.head((F.relu(x) * self.kept).mean([2, 3]))


class InPlace(nn.Module):
    """Sums, products and activations that overwrite their operand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.gain, self.head = nn.Parameter(torch.ones(1, 8, 1, 1)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu_(self.conv1(x))
        y = self.conv2(x).mul_(self.gain)
        y += x
        y.add_(1.0).clamp_(min=0.0, max=6.0).div_(6.0)
        return self.head(F.hardtanh_(y).flatten(2).mean(-1))


class HardViews(nn.Module):
    """Reshapes with literal channel counts, a split by sizes, and a channel picked from an image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.inner = nn.Conv2d(3, 12, 3, 2), nn.Linear(12, 16)
        self.left, self.right, self.head = nn.Linear(6, 8), nn.Linear(10, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x - x[:, :1])).view(-1, 12, 49).permute(0, 2, 1)
        a, b = torch.split(torch.relu(self.inner(x)), [6, 10], dim=2)
        return self.head((self.left(a) * self.right(b)).reshape(-1, 49, 8).mean(1))


class Slopes(nn.Module):
    """Learnt slopes (one and one per channel) and gated linear units."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.slope1 = nn.Conv2d(3, 8, 3), nn.PReLU(8)
        self.conv2, self.glu, self.slope2 = nn.Conv2d(8, 16, 3), nn.GLU(dim=1), nn.PReLU()
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.slope2(self.glu(self.conv2(self.slope1(self.conv1(x)))))
        return self.head(x.mean((2, 3)))
