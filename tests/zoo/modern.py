"""Networks that mix convolutions and transformers: ConvNeXt, MLP-Mixer, a hybrid, and gates from means and maxima."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.attention import Block, Mlp, TorchAttention
from tests.zoo.parts import Classifier, DropPath, conv_norm


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of an image, by moving them last and back."""

    def forward(self, x: Tensor) -> Tensor:
        x = F.layer_norm(x.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class ConvNextBlock(nn.Module):
    """Depthwise 7 x 7, then an MLP on the channels-last image, scaled per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depth, self.norm = nn.Conv2d(width, width, 7, padding=3, groups=width), nn.LayerNorm(width, eps=1e-6)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.scale, self.drop = nn.Parameter(torch.full((width,), 0.5)), DropPath(0.1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depth(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(F.gelu(self.up(y)))
        return x + self.drop(y.permute(0, 3, 1, 2))


class ConvNext(nn.Module):
    """Two stages with a normalised halving between them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 2, 2), ChannelNorm(8, eps=1e-6))
        self.halve = nn.Sequential(ChannelNorm(8, eps=1e-6), nn.Conv2d(8, 12, 2, 2))
        self.first, self.second = ConvNextBlock(8), ConvNextBlock(12)
        self.norm, self.head = nn.LayerNorm(12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.halve(self.first(self.stem(x))))
        return self.head(self.norm(x.mean([-2, -1])))


class MixerBlock(nn.Module):
    """An MLP across tokens, then one across channels."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.across = nn.LayerNorm(width), Mlp(tokens, 2 * tokens)
        self.norm2, self.along = nn.LayerNorm(width), Mlp(width, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.across(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.along(self.norm2(x))


class Mixer(nn.Module):
    """Patches, mixing blocks, mean over tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.blocks = nn.Conv2d(3, 12, 4, 4), nn.Sequential(*(MixerBlock(16, 12) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.patches(x).flatten(2).mT)
        return self.head(self.norm(x).mean(dim=1))


class Hybrid(nn.Module):
    """As MobileViT: convolutions, attention among pixels of equal place in their patches, joined to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.given = conv_norm(3, 8, 3, 2), nn.Conv2d(8, 12, 1, bias=False)
        self.block, self.back = Block(12, TorchAttention(12, 2)), conv_norm(12, 8, 1, act=nn.SiLU)
        self.join, self.head = conv_norm(16, 10, act=nn.SiLU), Classifier(10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.given(x).reshape(-1, 12, 4, 2, 4, 2).permute(0, 3, 5, 2, 4, 1).reshape(-1, 16, 12)
        y = self.block(y).reshape(-1, 2, 2, 4, 4, 12).permute(0, 5, 3, 1, 4, 2).reshape(-1, 12, 8, 8)
        return self.head(self.join(torch.cat([x, self.back(y)], dim=1)))


class Gates(nn.Module):
    """As CBAM: channels gated by a shared MLP of their means and maxima, then places by a convolution of both."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.shared = conv_norm(3, 12, 3, 2), nn.Sequential(nn.Linear(12, 6), nn.ReLU(), nn.Linear(6, 12))
        self.place, self.head = nn.Conv2d(2, 1, 3, padding=1), Classifier(12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        gate = torch.sigmoid(self.shared(x.mean((2, 3))) + self.shared(x.amax((2, 3))))
        x = x * gate[:, :, None, None]
        both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], dim=1)
        return self.head(x * torch.sigmoid(self.place(both)))
