"""Evenly spaced codes for a weight: for all of it, for each output channel, or for groups along the input axis.

Reference: Krishnamoorthi, 2018, arXiv 1806.08342 (scales per channel, with and without zero points); Nagel et al.,
2021, arXiv 2106.08295 (both quantisers for any width).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from methods.numerics.affine import Affine, Floats, dequantise, full_range, quantise, signed_range, squared_errors
from methods.numerics.clipping import affine_of
from methods.numerics.observers import Aim, bounds_of

FEW_BITS = 8
"""Below this width clipping outliers pays: the range is then that of the least error, unless another is asked for."""
AUTOMATIC = "auto"


@dataclass(frozen=True)
class WeightCoding:
    """How the codes of a weight are laid out.

    Attributes:
        bits: of a code. group: weights of one output that share a scale, along the unfolded input axis; 0: all.
        whole: one scale for the whole weight. symmetric: without zero points, and without the lowest code.
        observer: what sets the ranges; "auto" is min-max from 8 bits on and the least error (mse) below.
        percentile: what the observer of that name covers.
    """

    bits: int
    group: int = 0
    whole: bool = False
    symmetric: bool = True
    observer: str = AUTOMATIC
    percentile: float = 99.9

    def affine(self, weight: Floats) -> Affine:
        """The codes for a weight `[out, ...]`: scales and zero points `[out]`, or `[out * groups]`.

        Channels that all have about the same range can be better off with one scale, by chance: then they get it, so
        that scales of their own never lose more. Raises ValueError where the weight is empty or not finite, or groups
        don't divide its rows.
        """
        own = self._affine(weight)
        if self.whole or self.group:
            return own
        common = replace(self, whole=True)._affine(weight)
        return common if _error(weight, common) < _error(weight, own) else own

    def _affine(self, weight: Floats) -> Affine:
        code_range = signed_range(self.bits) if self.symmetric else full_range(self.bits)
        observer = self.observer
        if observer == AUTOMATIC:
            observer = "mse" if self.bits < FEW_BITS else "min-max"
        least, most = bounds_of(self.rows(weight), observer, Aim(code_range, self.symmetric, self.percentile))
        codes = affine_of(least, most, code_range, self.symmetric)
        if not self.whole:
            return codes
        out = (len(weight),)
        return Affine(np.broadcast_to(codes.scale, out), np.broadcast_to(codes.zero_point, out), *code_range)

    def nearest(self, weight: Floats) -> Floats:
        """The weight as its codes give it back; same shape."""
        return _rounded(weight, self.affine(weight))

    def rows(self, weight: Floats) -> Floats:
        """The weight with one row for each range that is sought."""
        if not weight.size:
            raise ValueError("an empty weight has no codes")
        if self.whole:
            return weight.reshape(1, -1)
        inputs = weight.size // len(weight)
        if self.group and inputs % self.group:
            raise ValueError(f"groups of {self.group} don't divide {inputs} inputs")
        return weight.reshape(-1, self.group or inputs)


def _rounded(weight: Floats, codes: Affine) -> Floats:
    rows = weight.reshape(len(codes.scale), -1)
    return dequantise(quantise(rows, codes), codes).reshape(weight.shape)


def _error(weight: Floats, codes: Affine) -> float:
    return float(squared_errors(weight.reshape(len(codes.scale), -1), codes).sum())
