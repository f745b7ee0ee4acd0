"""Layers in whole numbers alone: 8-bit operands, 32-bit sums, and codes again by a fixed-point multiplication.

The multiplier of a channel is input scale times weight scale over output scale, as a 31-bit number and a shift; zero
points are subtracted before products, so padding with the input's zero point is exact.

Reference: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, arXiv 1712.05877, sections 2.2 to 2.4 (rounding once, to the nearest, upwards on a tie).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import frexp, isfinite

import numpy as np
from numpy.typing import NDArray

from methods.numerics.affine import Affine, Floats

Codes = NDArray[np.int64]
LARGEST_SUM = 2**31 - 1
FRACTION_BITS = 31
MOST_SHIFT = 62


@dataclass(frozen=True)
class Geometry:
    """Of a convolution: one number for each spatial axis. A linear layer has none."""

    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1


@dataclass(frozen=True)
class IntegerLayer:
    """A convolution or linear layer as integer runtimes hold it.

    Attributes:
        weight: codes `[out, in / groups, ...]` with the zero points of each output taken off.
        bias: `[out]`, in steps of input scale times weight scale.
        multipliers, shifts: `[out]`: an output code is `sum * multiplier / 2^shift`, plus the zero point.
        source, target: the codes of what goes in and of what comes out.
    """

    weight: Codes
    bias: Codes
    multipliers: Codes
    shifts: Codes
    source: Affine
    target: Affine
    geometry: Geometry

    def __call__(self, codes: Codes) -> Codes:
        """The output's codes `[n, out, ...]`; `[..., out]` for a linear layer. Raises ValueError where a sum needs more
        than 32 bits."""
        centred = codes.astype(np.int64) - int(self.source.zero_point)
        sums = convolve(centred, self.weight, self.geometry) if self.geometry.stride else centred @ self.weight.T
        view = (-1,) + (1,) * len(self.geometry.stride)
        sums = sums + self.bias.reshape(view)
        if sums.size and int(np.abs(sums).max()) > LARGEST_SUM:
            raise ValueError("a sum of products needs more than 32 bits; use fewer bits or fewer inputs")
        scaled = rescale(sums, self.multipliers.reshape(view), self.shifts.reshape(view))
        return np.clip(scaled + int(self.target.zero_point), self.target.low, self.target.high)


def integer_layer(
    weight: Codes, weight_codes: Affine, bias: Floats | None, source: Affine, target: Affine, geometry: Geometry
) -> IntegerLayer:
    """A layer from its weight's codes `[out, ...]` and its float bias `[out]`. Raises ValueError for scales that no
    multiplier can express."""
    zero = weight_codes.zero_point.reshape(-1, *[1] * (weight.ndim - 1))
    steps = source.scale.astype(np.float64) * weight_codes.scale.astype(np.float64)
    pairs = [fixed_point(float(step / target.scale)) for step in np.broadcast_to(steps, len(weight))]
    reals = np.zeros(len(weight)) if bias is None else bias.astype(np.float64)
    offsets = np.clip(np.rint(reals / steps), -LARGEST_SUM, LARGEST_SUM).astype(np.int64)
    multipliers, shifts = np.array(pairs, dtype=np.int64).T
    return IntegerLayer(weight.astype(np.int64) - zero, offsets, multipliers, shifts, source, target, geometry)


def fixed_point(real: float) -> tuple[int, int]:
    """A positive number as `multiplier / 2^shift` with 31 significant bits. Raises ValueError for any other."""
    if not (isfinite(real) and real > 0.0):
        raise ValueError(f"a ratio of scales must be a positive number, not {real}")
    fraction, exponent = frexp(real)
    multiplier, shift = round(fraction * 2**FRACTION_BITS), FRACTION_BITS - exponent
    if multiplier == 2**FRACTION_BITS:
        multiplier, shift = multiplier // 2, shift - 1
    if shift < 1:
        raise ValueError(f"a ratio of scales of {real} is too large for 32-bit sums")
    return multiplier, shift


def rescale(sums: Codes, multipliers: Codes, shifts: Codes) -> Codes:
    """`sums * multipliers / 2^shifts`, to the nearest whole number, upwards on a tie; products have 62 bits."""
    kept = np.minimum(shifts, MOST_SHIFT)
    found = (sums * multipliers + (np.int64(1) << (kept - 1))) >> kept
    return np.asarray(np.where(shifts > MOST_SHIFT, 0, found))


def convolve(codes: Codes, weight: Codes, geometry: Geometry) -> Codes:
    """The sums of products `[n, out, ...]` of centred codes `[n, in, ...]` and a weight `[out, in / groups, ...]`."""
    axes = tuple(range(2, codes.ndim))
    padded = np.pad(codes, ((0, 0), (0, 0), *((p, p) for p in geometry.padding)))
    reach = [d * (k - 1) + 1 for d, k in zip(geometry.dilation, weight.shape[2:], strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach, axes)
    steps = tuple(slice(None, None, s) for s in geometry.stride)
    taps = tuple(slice(None, None, d) for d in geometry.dilation)
    windows = windows[(slice(None), slice(None), *steps, *taps)]
    parts = zip(np.split(windows, geometry.groups, axis=1), np.split(weight, geometry.groups, axis=0), strict=True)
    kernel = [1, *range(2 + len(axes), 2 + 2 * len(axes))]
    rows = [np.tensordot(w, k, (kernel, list(range(1, k.ndim)))) for w, k in parts]
    return np.moveaxis(np.concatenate(rows, axis=-1), -1, 1)
