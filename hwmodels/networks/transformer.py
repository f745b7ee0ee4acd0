"""Transformers of random width and depth, over image patches or over tokens."""

from __future__ import annotations

from math import sqrt

import numpy as np
from onnx import TensorProto

from hwmodels.networks.builder import CLASSES, Builder

IMAGE = 32
"""Rows and columns of an image."""
HIDDEN = -1e30
"""Added to the score of a pair that a mask hides."""


def transformer(seed: int) -> bytes:
    """Two to six blocks of random heads, width of a head and width of the MLP.

    Like ViT on images with even seeds; like GPT, with a causal mask, on 32 or 64 tokens with odd ones.
    """
    return _patches(Builder(seed)) if seed % 2 == 0 else _tokens(Builder(seed))


def _patches(b: Builder) -> bytes:
    patch, heads = b.choice(4, 4, 8), b.width(2, 6)
    width, tokens = heads * b.choice(16, 24, 32), (IMAGE // patch) ** 2
    weights, strides = (b.weight(width, 3, patch, patch), b.weight(width)), [patch, patch]
    x = b.op("Conv", "x", *weights, kernel_shape=strides, strides=strides, pads=[0] * 4)
    x = b.op("Transpose", b.op("Reshape", x, b.ints(-1, width, tokens)), perm=[0, 2, 1])
    x = b.op("Add", x, b.weight(1, tokens, width))
    for _ in range(b.width(2, 6)):
        x = b.op("Add", x, _attention(b, b.norm(x, width), tokens, heads, width))
        x = b.op("Add", x, _mlp(b, b.norm(x, width), width, "none"))
    x = b.op("ReduceMean", b.norm(x, width), b.ints(1), keepdims=0)
    return b.model(b.gemm(x, width, CLASSES), (3, IMAGE, IMAGE))


def _tokens(b: Builder) -> bytes:
    tokens, heads, words = b.choice(32, 64), b.width(2, 6), 512
    width = heads * b.choice(16, 24, 32)
    x = b.op("Add", b.op("Gather", b.weight(words, width), "x"), b.weight(tokens, width))
    mask = b.constant(np.triu(np.full((tokens, tokens), HIDDEN, np.float32), 1))
    for _ in range(b.width(2, 6)):
        x = b.op("Add", x, _attention(b, b.norm(x, width), tokens, heads, width, mask))
        x = b.op("Add", x, _mlp(b, b.norm(x, width), width, "tanh"))
    x = b.op("Gather", b.norm(x, width), b.constant(np.array(tokens - 1, np.int64)), axis=1)
    return b.model(b.gemm(x, width, CLASSES), (tokens,), TensorProto.INT64)


def _attention(b: Builder, x: str, tokens: int, heads: int, width: int, mask: str = "") -> str:
    """Attention over all tokens, or over those that `mask` leaves."""
    apart = b.ints(-1, tokens, heads, width // heads)
    parts = b.several("Split", 3, b.linear(x, width, 3 * width), b.ints(width, width, width), axis=2)
    query, key, value = (b.op("Transpose", b.op("Reshape", part, apart), perm=[0, 2, 1, 3]) for part in parts)
    query = b.op("Mul", query, b.constant(np.array(1.0 / sqrt(width // heads), np.float32)))
    scores = b.op("MatMul", query, b.op("Transpose", key, perm=[0, 1, 3, 2]))
    scores = b.op("Add", scores, mask) if mask else scores
    seen = b.op("MatMul", b.op("Softmax", scores, axis=-1), value)
    joined = b.op("Reshape", b.op("Transpose", seen, perm=[0, 2, 1, 3]), b.ints(-1, tokens, width))
    return b.linear(joined, width, width)


def _mlp(b: Builder, x: str, width: int, approximate: str) -> str:
    inner = width * b.width(2, 8) // 2
    return b.linear(b.op("Gelu", b.linear(x, width, inner), approximate=approximate), inner, width)
