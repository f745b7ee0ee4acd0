"""A LLaMA-like decoder: grouped queries, rotary embeddings, root-mean-square normalisation, SwiGLU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RmsNorm(nn.Module):
    """Scale to unit root mean square along the last axis, then by a weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns pairs of entries (i, i + half) by the angle of their position."""
    left, right = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-right, left], dim=-1) * sine


class Attention(nn.Module):
    """Four heads of queries share two heads of keys and values."""

    def __init__(self, width: int, heads: int, shared: int, size: int) -> None:
        super().__init__()
        self.heads, self.shared, self.size = heads, shared, size
        self.q_proj, self.o_proj = (
            nn.Linear(width, heads * size, bias=False),
            nn.Linear(heads * size, width, bias=False),
        )
        self.k_proj, self.v_proj = (nn.Linear(width, shared * size, bias=False) for _ in range(2))

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        n, tokens, _ = x.shape
        q = rotate(self.q_proj(x).view(n, tokens, self.heads, self.size).transpose(1, 2), cosine, sine)
        k = rotate(self.k_proj(x).view(n, tokens, self.shared, self.size).transpose(1, 2), cosine, sine)
        v = self.v_proj(x).view(n, tokens, self.shared, self.size).transpose(1, 2)
        k, v = self.repeat(k), self.repeat(v)
        scores = torch.matmul(q, k.transpose(2, 3)) * self.size**-0.5 + mask
        y = torch.matmul(F.softmax(scores, dim=-1), v).transpose(1, 2).reshape(n, tokens, -1)
        return self.o_proj(y)

    def repeat(self, x: Tensor) -> Tensor:
        """Each shared head once per query head that reads it."""
        n, _, tokens, size = x.shape
        x = x[:, :, None].expand(n, self.shared, self.heads // self.shared, tokens, size)
        return x.reshape(n, self.heads, tokens, size)


class Layer(nn.Module):
    """Attention and SwiGLU, each behind a normalisation and beside a shortcut."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.attention = RmsNorm(width), RmsNorm(width), Attention(width, 4, 2, 4)
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), cosine, sine, mask)
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """`[N, 8]` tokens to `[N, 8, 40]` scores; angles and the causal mask are buffers."""

    cosine: Tensor
    sine: Tensor
    mask: Tensor

    def __init__(self, width: int = 16, tokens: int = 8) -> None:
        super().__init__()
        self.embed, self.layers = nn.Embedding(40, width), nn.ModuleList(Layer(width, 24) for _ in range(2))
        self.norm, self.head = RmsNorm(width), nn.Linear(width, 40, bias=False)
        angles = torch.outer(torch.arange(tokens).float(), 10000.0 ** -torch.linspace(0, 0.5, 2)).repeat(1, 2)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)
        self.register_buffer("mask", torch.full((tokens, tokens), -1e4).triu(1), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x, length = self.embed(tokens), tokens.shape[1]
        for layer in self.layers:
            x = layer(x, self.cosine[:length], self.sine[:length], self.mask[:length, :length])
        return self.head(self.norm(x))


class GroupedQueries(nn.Module):
    """Grouped queries as PyTorch itself offers them, with its own root-mean-square normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(30, 12), nn.RMSNorm(12)
        self.q, self.k, self.v = nn.Linear(12, 16), nn.Linear(12, 8), nn.Linear(12, 8)
        self.out, self.head = nn.Linear(16, 12), nn.Linear(12, 6)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens)
        y = self.norm(x)
        q, k, v = (layer(y).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.head(x + self.out(y.transpose(1, 2).flatten(2)))
