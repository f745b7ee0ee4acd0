"""A 2-D convolution as a vertical one to a few channels, and a horizontal one from there.

W `[out, in, kh, kw]` is approximated by u `[out, r, kw]` times v `[r, in, kh]`, summed over r channels. Rearranged to a
matrix `[out * kw, in * kh]` this is a plain low-rank problem, so the truncated singular value decomposition is its
global optimum, with the error of the singular values that are left out.

References: Jaderberg, Vedaldi and Zisserman, "Speeding up convolutional neural networks with low rank expansions",
2014, arXiv 1405.3866 (scheme 2); Tai et al., "Convolutional neural networks with low-rank regularization", 2016, arXiv
1511.06067 (theorem 1: the closed form).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from methods.numerics.lowrank import Doubles, Floats, factorise, rank_for_energy


@dataclass(frozen=True)
class Separable:
    """`v` `[r, in, kh, 1]` and `u` `[out, r, 1, kw]`; `error` is relative in the Frobenius norm."""

    v: Floats
    u: Floats
    error: float

    def weight(self) -> Floats:
        """The weight `[out, in, kh, kw]` that the two stand for."""
        made: Doubles = np.einsum(
            "orj,rci->ocij", self.u[:, :, 0].astype(np.float64), self.v[..., 0].astype(np.float64)
        )
        return made.astype(np.float32)


def full_rank(shape: tuple[int, ...]) -> int:
    """The channels in the middle at which every weight of this shape is exact."""
    out, given, height, width = shape
    return min(out * width, given * height)


def separate(weight: Floats, rank: int) -> Separable:
    """The best pair through `rank` channels. Raises ValueError for a rank that can't be, or a weight not finite."""
    out, given, height, width = weight.shape
    factors = factorise(_rearranged(weight), rank)
    v = factors.v.reshape(rank, given, height, 1)
    u = factors.u.reshape(out, width, rank).transpose(0, 2, 1)[:, :, None]
    return Separable(v, np.ascontiguousarray(u), factors.error)


def separable_rank(weight: Floats, share: float) -> int:
    """The fewest channels in the middle that keep `share` of the squared weights. Raises ValueError."""
    return rank_for_energy(_rearranged(weight), share)


def _rearranged(weight: Floats) -> Floats:
    """`[out * kw, in * kh]`."""
    out, given, height, width = weight.shape
    return weight.transpose(0, 3, 1, 2).reshape(out * width, given * height)
