"""Affine (uniform) quantisation: real value = scale * (code - zero point), codes in a small integer range.

By default symmetric per-channel codes of -127 to 127 for weights, asymmetric 0 to 255 for activations, as in Jacob et
al. 2018 (arXiv 1712.05877) and Krishnamoorthi 2018 (arXiv 1806.08342); both kinds for any width as in Nagel et al.
2021 (arXiv 2106.08295). The arithmetic is that of ATen's `fake_quantize` operators: multiply by the reciprocal of the
scale in float32, round half to even, add the zero point, clamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHT_RANGE = (-127, 127)
"""Symmetric, without -128, so that a weight and its negative have codes of the same size."""
ACTIVATION_RANGE = (0, 255)
NARROWEST = 2.0**-12
"""Smallest scale of a channel, relative to the widest channel's: biases are kept as 32-bit codes in steps of it."""

VANISHING = 1e-30
"""A range of activations that is no range: any scale will do for zeros."""

SMALLEST = np.float32(1e-35)
"""Smallest scale: its reciprocal, and those of weights in steps of it, are finite in float32."""

PIECE = 1 << 16
"""Numbers that are rounded at a time, to stay in the processor's cache."""

Floats = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """A mapping between reals and codes: `scale` and `zero_point` are `[]` or, per channel, `[channels]` on axis 0."""

    scale: Floats
    zero_point: NDArray[np.int64]
    low: int
    high: int


def symmetric(weight: Floats, code_range: tuple[int, int] = WEIGHT_RANGE) -> Affine:
    """Per-channel codes for a weight `[out, ...]`: the largest magnitude of each channel becomes the largest code."""
    largest = np.abs(weight.reshape(weight.shape[0], -1)).max(axis=1, initial=0.0)
    return symmetric_between(largest.astype(np.float32), code_range)


def symmetric_between(largest: Floats, code_range: tuple[int, int]) -> Affine:
    """Codes without a zero point for rows of numbers up to `largest` `[rows]` in size, which gets the highest code."""
    widest = float(largest.max(initial=0.0)) or float(code_range[1])
    scale = np.maximum(np.maximum(largest, np.float32(widest * NARROWEST)) / np.float32(code_range[1]), SMALLEST)
    return Affine(scale.astype(np.float32), np.zeros(len(scale), dtype=np.int64), *code_range)


def asymmetric_between(least: Floats, most: Floats, code_range: tuple[int, int]) -> Affine:
    """Codes with a zero point of their own for rows of numbers between `least` and `most`, both `[rows]`.

    Zero has a code in every row. Raises ValueError where a bound is not finite or the two are out of order.
    """
    low, high = _with_zero(least, most)
    wide = float((high - low).max(initial=0.0))
    return _asymmetric(low, high, code_range, wide * NARROWEST)


def signed_range(bits: int) -> tuple[int, int]:
    """The symmetric codes of so many bits: one less than there are, so that each has a negative."""
    high = (1 << (bits - 1)) - 1
    return -high, high


def full_range(bits: int) -> tuple[int, int]:
    """All the signed codes of so many bits: what asymmetric weights take, whose zero point makes up for the sign."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def unsigned_range(bits: int) -> tuple[int, int]:
    """All the codes of so many bits, from 0 on: what activations take."""
    return 0, (1 << bits) - 1


def asymmetric(least: float, most: float, code_range: tuple[int, int] = ACTIVATION_RANGE) -> Affine:
    """Per-tensor codes for values between `least` and `most`; zero always has a code of its own.

    Raises ValueError where the bounds are not finite or out of order.
    """
    codes = _asymmetric(*_with_zero(np.array([least]), np.array([most])), code_range, VANISHING)
    return Affine(codes.scale.reshape(()), codes.zero_point.reshape(()), *code_range)


def _with_zero(least: NDArray[Any], most: NDArray[Any]) -> tuple[Points, Points]:
    """The bounds with zero between them."""
    bad = ~(np.isfinite(least) & np.isfinite(most) & (least <= most))
    if bad.any():
        pair = float(least[bad][0]), float(most[bad][0])
        raise ValueError(f"the observed range {pair[0]} to {pair[1]} is not a range of finite numbers")
    return np.minimum(least, 0.0).astype(np.float64), np.maximum(most, 0.0).astype(np.float64)


def _asymmetric(least: Points, most: Points, code_range: tuple[int, int], narrowest: float) -> Affine:
    """A range narrower than `narrowest` is widened to it; one that vanishes gets a scale of 1."""
    low, high = code_range
    width = np.maximum(most - least, narrowest)
    scale = np.where(width > VANISHING, width / (high - low), 1.0).astype(np.float32)
    zero_point = np.clip(np.rint(low - least / scale.astype(np.float64)), low, high).astype(np.int64)
    return Affine(scale, zero_point, low, high)


def quantise(values: Floats, to: Affine) -> NDArray[np.int32]:
    """The code of every value, clamped to the range; same shape as `values`."""
    scale, zero_point = _aligned(to, values.ndim)
    codes = np.rint(values * (np.float32(1.0) / scale)) + zero_point
    return np.clip(codes, to.low, to.high).astype(np.int32)


def dequantise(codes: NDArray[np.int32], by: Affine) -> Floats:
    """The real value of every code."""
    scale, zero_point = _aligned(by, codes.ndim)
    return ((codes - zero_point).astype(np.float32) * scale).astype(np.float32)


def squared_errors(rows: Floats, codes: Affine) -> Points:
    """The sum over each row of `[rows, n]` of the squared differences that rounding makes, a piece at a time."""
    found = np.empty(len(rows), dtype=np.float64)
    piece = max(1, PIECE // max(1, rows.shape[1]))
    for start in range(0, len(rows), piece):
        part = slice(start, start + piece)
        scale, zero = (a[part, None] for a in (codes.scale, codes.zero_point.astype(np.float32)))
        gap = np.rint(rows[part] * (np.float32(1.0) / scale))
        np.clip(gap, codes.low - zero, codes.high - zero, out=gap)
        gap *= scale
        gap -= rows[part]
        found[part] = np.einsum("ij,ij->i", gap, gap, dtype=np.float64)
    return found


def quantise_slowly(value: float, scale: float, zero_point: int, low: int, high: int) -> int:
    """One code, from the definition: the code whose real value lies nearest, an even one on a tie.

    The obvious twin of `quantise`; the tests hold the two against each other.
    """
    codes = range(low, high + 1)
    return min(codes, key=lambda code: (abs(value - scale * (code - zero_point)), (code - zero_point) % 2))


def _aligned(affine: Affine, dimensions: int) -> tuple[Floats, NDArray[np.int64]]:
    if affine.scale.ndim == 0:
        return affine.scale, affine.zero_point
    shape = (-1,) + (1,) * (dimensions - 1)
    return affine.scale.reshape(shape), affine.zero_point.reshape(shape)
