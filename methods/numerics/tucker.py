"""Partial Tucker decomposition of a convolution's weight along its two channel modes.

W `[out, in, ...]` is approximated by U `[out, r_out]`, a core `[r_out, r_in, ...]` and V `[r_in, in]`. The truncated
higher-order SVD takes the leading directions of each unfolding: its squared error is at most the sum of what both
unfoldings lose, so at most twice the optimum. A few rounds of orthogonal iteration only lower it.

References: De Lathauwer, De Moor and Vandewalle, "A multilinear singular value decomposition", SIAM J. Matrix Anal.
Appl. 21, 2000, and "On the best rank-(R1, ..., RN) approximation", same volume; as layers: Kim et al., "Compression of
deep convolutional neural networks for fast and low power mobile applications", 2016, arXiv 1511.06530.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from methods.numerics.lowrank import Doubles, Floats, directions, singular_values, unfolded
from methods.numerics.vbmf import vbmf_rank


@dataclass(frozen=True)
class Tucker2:
    """`u` `[out, r_out]`, `core` `[r_out, r_in, ...]`, `v` `[r_in, in]`.

    `error` is relative in the Frobenius norm; `bound` is what the unfoldings promise it not to exceed.
    """

    u: Floats
    core: Floats
    v: Floats
    error: float
    bound: float

    def weight(self) -> Floats:
        """The weight `[out, in, ...]` that the three stand for."""
        made: Doubles = np.einsum(
            "or,rs...,si->oi...", *(a.astype(np.float64) for a in (self.u, self.core, self.v)), optimize=True
        )
        return made.astype(np.float32)


def full_ranks(shape: tuple[int, ...]) -> tuple[int, int]:
    """The largest ranks (inputs, outputs) that the unfoldings of a weight `[out, in, ...]` can have."""
    out, given, places = shape[0], shape[1], int(np.prod(shape[2:], dtype=np.int64))
    return min(given, out * places), min(out, given * places)


def tucker2(weight: Floats, r_in: int, r_out: int, rounds: int = 2) -> Tucker2:
    """The decomposition at ranks `r_in` and `r_out`: higher-order SVD, then `rounds` of orthogonal iteration.

    Raises ValueError for a rank that its unfolding can't have, or a weight that is not finite.
    """
    by_out, by_in = unfolded(weight, r_out), unfolded(np.swapaxes(weight, 0, 1), r_in)
    u, v = directions(by_out, r_out), directions(by_in, r_in)
    kept = u.T @ by_out, v.T @ by_in
    tensor = weight.astype(np.float64)
    for _ in range(rounds):
        u = directions(_flat(np.einsum("oi...,is->os...", tensor, v, optimize=True)), r_out)
        v = directions(_flat(np.einsum("oi...,or->ir...", tensor, u, optimize=True)), r_in)
    core = np.einsum("oi...,or,is->rs...", tensor, u, v, optimize=True)
    total = float(np.square(tensor).sum())
    lost = [max(0.0, total - float(np.square(part).sum())) for part in (*kept, core)]
    error, bound = _relative(lost[2], total), _relative(lost[0] + lost[1], total)
    return Tucker2(u.astype(np.float32), core.astype(np.float32), v.T.astype(np.float32), error, bound)


def vbmf_ranks(weight: Floats) -> tuple[int, int]:
    """The ranks (inputs, outputs) that variational Bayes finds in the unfoldings, at least 1. Raises ValueError."""
    sides = unfolded(np.swapaxes(weight, 0, 1)), unfolded(weight)
    r_in, r_out = (max(1, vbmf_rank(singular_values(side), side.shape)) for side in sides)
    return r_in, r_out


def _flat(tensor: Doubles) -> Doubles:
    return tensor.reshape(len(tensor), -1)


def _relative(lost: float, total: float) -> float:
    return float((lost / total) ** 0.5) if total else 0.0
