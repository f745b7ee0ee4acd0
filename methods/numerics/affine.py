"""Affine (uniform) quantisation: real value = scale * (code - zero point), codes in a small integer range.

Symmetric per-channel codes of -127 to 127 for weights, asymmetric 0 to 255 for activations, as in Jacob et al. 2018
(arXiv 1712.05877) and Krishnamoorthi 2018 (arXiv 1806.08342). The arithmetic is that of ATen's `fake_quantize`
operators: multiply by the reciprocal of the scale in float32, round half to even, add the zero point, clamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

WEIGHT_RANGE = (-127, 127)
"""Symmetric, without -128, so that a weight and its negative have codes of the same size."""
ACTIVATION_RANGE = (0, 255)
NARROWEST = 2.0**-12
"""Smallest scale of a channel, relative to the widest channel's: biases are kept as 32-bit codes in steps of it."""

VANISHING = 1e-30
"""A range of activations that is no range: any scale will do for zeros."""

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Affine:
    """A mapping between reals and codes: `scale` and `zero_point` are `[]` or, per channel, `[channels]` on axis 0."""

    scale: Floats
    zero_point: NDArray[np.int64]
    low: int
    high: int


def symmetric(weight: Floats, code_range: tuple[int, int] = WEIGHT_RANGE) -> Affine:
    """Per-channel codes for a weight `[out, ...]`: the largest magnitude of each channel becomes the largest code."""
    largest = np.abs(weight.reshape(weight.shape[0], -1)).max(axis=1, initial=0.0).astype(np.float32)
    widest = float(largest.max(initial=0.0)) or float(code_range[1])
    scale = np.maximum(largest, np.float32(widest * NARROWEST)) / np.float32(code_range[1])
    return Affine(scale, np.zeros(len(scale), dtype=np.int64), *code_range)


def asymmetric(least: float, most: float, code_range: tuple[int, int] = ACTIVATION_RANGE) -> Affine:
    """Per-tensor codes for values between `least` and `most`; zero always has a code of its own.

    Raises ValueError where the bounds are not finite or out of order.
    """
    if not (isfinite(least) and isfinite(most) and least <= most):
        raise ValueError(f"the observed range {least} to {most} is not a range of finite numbers")
    least, most = min(least, 0.0), max(most, 0.0)
    low, high = code_range
    scale = np.float32((most - least) / (high - low) if most - least > VANISHING else 1.0)
    zero_point = int(np.clip(round(low - least / float(scale)), low, high))
    return Affine(np.asarray(scale), np.asarray(zero_point, dtype=np.int64), low, high)


def quantise(values: Floats, to: Affine) -> NDArray[np.int32]:
    """The code of every value, clamped to the range; same shape as `values`."""
    scale, zero_point = _aligned(to, values.ndim)
    codes = np.rint(values * (np.float32(1.0) / scale)) + zero_point
    return np.clip(codes, to.low, to.high).astype(np.int32)


def dequantise(codes: NDArray[np.int32], by: Affine) -> Floats:
    """The real value of every code."""
    scale, zero_point = _aligned(by, codes.ndim)
    return ((codes - zero_point).astype(np.float32) * scale).astype(np.float32)


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
