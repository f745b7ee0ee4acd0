"""Vision networks of attention: ViT in two ways of writing it, and Swin."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.zoo.parts import DropPath


class Mlp(nn.Sequential):
    """Two linear layers with GELU between them."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__(nn.Linear(width, inner), nn.GELU(), nn.Dropout(0.1), nn.Linear(inner, width))


class FusedAttention(nn.Module):
    """Queries, keys and values from one linear layer, `[N, tokens, width]` to the same shape."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        qkv = self.qkv(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = F.scaled_dot_product_attention(q, k, v)
        return self.out(x.transpose(1, 2).reshape(n, tokens, width))


class TorchAttention(nn.Module):
    """The same by nn.MultiheadAttention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, dropout=0.1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class Block(nn.Module):
    """Attention and MLP, each behind a layer normalisation and beside a shortcut."""

    def __init__(self, width: int, attention: nn.Module, drop: float = 0.0) -> None:
        super().__init__()
        self.norm1, self.attention, self.norm2 = nn.LayerNorm(width), attention, nn.LayerNorm(width)
        self.mlp, self.drop = Mlp(width, 2 * width), DropPath(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop(self.attention(self.norm1(x)))
        return x + self.drop(self.mlp(self.norm2(x)))


class Vit(nn.Module):
    """Patches, a class token, position embeddings, blocks; `[N, 3, 16, 16]` to `[N, 5]`."""

    def __init__(self, attention: type[nn.Module], width: int = 16, heads: int = 4) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, width, 8, 8), nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.blocks = nn.Sequential(*(Block(width, attention(width, heads)) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def vit_fused() -> nn.Module:
    """ViT with one layer for queries, keys and values."""
    return Vit(FusedAttention)


def vit_multihead() -> nn.Module:
    """ViT with nn.MultiheadAttention."""
    return Vit(TorchAttention)


class WindowAttention(nn.Module):
    """Attention within windows of 2 x 2, shifted by one or not, with a learnt bias per relative position."""

    steps: Tensor

    def __init__(self, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.heads, self.shift = heads, shift
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn(9, heads))
        row, column = torch.arange(4) // 2, torch.arange(4) % 2
        steps = 3 * (row[:, None] - row[None] + 1) + (column[:, None] - column[None] + 1)
        self.register_buffer("steps", steps.reshape(-1))

    def forward(self, x: Tensor) -> Tensor:
        n, h, w, c = x.shape
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), (1, 2))
        x = x.view(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
        qkv = self.qkv(x).reshape(x.shape[0], 4, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0], qkv[1], qkv[2]
        scores = (q * (c // self.heads) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.bias[self.steps].view(4, 4, -1).permute(2, 0, 1).unsqueeze(0)
        x = self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, 4, c))
        x = x.view(n, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(n, h, w, c)
        return torch.roll(x, (self.shift, self.shift), (1, 2)) if self.shift else x


class Merging(nn.Module):
    """Four neighbours become one token of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.reduce = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        corners = [x[:, i::2, j::2, :] for j in (0, 1) for i in (0, 1)]
        return self.reduce(self.norm(torch.cat(corners, -1)))


class Swin(nn.Module):
    """Two stages of windowed attention, `[N, 3, 16, 16]` to `[N, 5]`."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.norm = nn.Conv2d(3, 8, 2, 2), nn.LayerNorm(8)
        first = [Block(8, WindowAttention(8, 2, shift), 0.1) for shift in (0, 1)]
        second = [Block(16, WindowAttention(16, 4, shift), 0.1) for shift in (0, 1)]
        self.blocks = nn.Sequential(*first, Merging(8), *second)
        self.last, self.head = nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.norm(self.patches(x).permute(0, 2, 3, 1)))
        return self.head(self.last(x).mean((1, 2)))
