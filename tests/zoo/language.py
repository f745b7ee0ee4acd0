"""Language networks: BERT- and DistilBERT-like encoders, GPT- and LLaMA-like decoders."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Attention by hand with three linear layers; `mask` is added to the scores."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], -1, self.heads, self.size).transpose(1, 2)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(x)), self.split(self.value(x))
        scores = F.dropout(F.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.size) + mask, -1), 0.1, self.training)
        context = (scores @ v).permute(0, 2, 1, 3).contiguous()
        return self.out(context.view(x.shape[0], -1, self.heads * self.size))


class EncoderLayer(nn.Module):
    """Post-normalised attention and MLP."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention, self.norm1 = SelfAttention(width, heads), nn.LayerNorm(width)
        self.up, self.down, self.norm2 = nn.Linear(width, inner), nn.Linear(inner, width), nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    """Token, position and type embeddings; a mask of 0 and 1 as second, types as third input."""

    places: Tensor

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.tokens, self.positions, self.types = (nn.Embedding(size, width) for size in (40, 8, 2))
        self.register_buffer("places", torch.arange(8).expand(1, -1), persistent=False)
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(0.1)
        self.layers = nn.ModuleList(EncoderLayer(width, 4, 32) for _ in range(2))
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 3)

    def forward(self, tokens: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.types(types) + self.positions(self.places[:, : tokens.shape[1]])
        x = self.dropout(self.norm(x))
        added = (1.0 - mask[:, None, None, :].to(x.dtype)) * -10000.0
        for layer in self.layers:
            x = layer(x, added)
        return self.head(torch.tanh(self.pooler(x[:, 0])))


class DistilBert(nn.Module):
    """No types; the mask fills scores with a large negative number; the head reads the mean of the kept tokens."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(40, width, padding_idx=0), nn.Embedding(8, width)
        self.layer, self.head = EncoderLayer(width, 3, 24), nn.Linear(width, 3)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        blocked = (mask == 0)[:, None, None, :]
        zeros = torch.zeros(blocked.shape, dtype=x.dtype, device=x.device)
        x = self.layer(x, zeros.masked_fill(blocked, torch.finfo(x.dtype).min))
        kept = mask.unsqueeze(-1).to(x.dtype)
        return self.head((x * kept).sum(1) / kept.sum(1).clamp(min=1.0))


class DecoderBlock(nn.Module):
    """Pre-normalised causal attention (fused, split by width) and MLP."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        n, tokens, width = x.shape
        parts = self.attend(self.norm1(x)).split(self.width, dim=2)
        q, k, v = (p.view(n, tokens, self.heads, width // self.heads).transpose(1, 2) for p in parts)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.project(y.transpose(1, 2).contiguous().view(n, tokens, width))
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class Gpt(nn.Module):
    """A decoder whose output layer is its token embedding; `[N, 8]` tokens to `[N, 8, 40]` scores."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(40, width), nn.Embedding(8, width)
        self.blocks = nn.Sequential(*(DecoderBlock(width, 4) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 40, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.norm(self.blocks(x)))


class Translator(nn.Module):
    """PyTorch's own encoder and decoder layers: padding mask of the source, cross-attention, causal target."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(30, width, padding_idx=0), nn.Embedding(25, width)
        self.encoder = nn.TransformerEncoderLayer(width, 2, 24, activation="gelu", batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoderLayer(width, 4, 24, batch_first=True)
        self.head = nn.Linear(width, 25)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        padding = source == 0
        memory = self.encoder(self.source(source), src_key_padding_mask=padding)
        causal = torch.triu(torch.ones(target.shape[1], target.shape[1], dtype=torch.bool), diagonal=1)
        x = self.decoder(self.target(target), memory, tgt_mask=causal, memory_key_padding_mask=padding)
        return self.head(x)
