"""Low-rank factors of a weight: W `[out, in, kh, kw]`, unfolded to `[out, n]`, becomes U `[out, r]` V `[r, n]`.

The truncated singular value decomposition is the best approximation of its rank (Eckart and Young, 1936). Large
matrices, of which only few directions are wanted, go through a randomised range finder (Halko, Martinsson and Tropp,
2011, arXiv 0909.4061), seeded. The other factorisations stand on this one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO = 1024
"""Smaller side of the matrix up to which all directions are computed (about half a second there)."""
OVERSAMPLING = 16
POWER_ROUNDS = 3
OWN_SHARE = 1e-3

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Factors:
    """`u` `[out, rank]` times `v` `[rank, in]`; `error` is the relative one in the Frobenius norm, 0 to 1."""

    u: Floats
    v: Floats
    error: float


def full_rank(shape: tuple[int, ...]) -> int:
    """The largest rank that a weight of this shape, unfolded, can have."""
    columns = int(np.prod(shape[1:], dtype=np.int64))
    return min(shape[0], columns)


def factorise(weight: NDArray[np.float32], rank: int) -> Factors:
    """The best factors of `rank`; each carries the square root of the singular values, so neither dwarfs the other.

    Raises ValueError for a rank outside 1 to the full rank, or a weight that is not finite.
    """
    matrix = unfolded(weight, rank)
    return _balanced(matrix, *leading(matrix, rank))


def factorise_for(weight: Floats, outputs: Floats, rank: int) -> Factors:
    """Factors of `rank` that keep the directions in which the layer's outputs `[rows, out]` (W x, no bias) are largest.

    The optimum for these outputs is U U^T W, U their leading directions (Zhang et al. 2015, arXiv 1505.06798, section
    2.1). A thousandth of the weight's own directions is mixed in, for inputs that no sample showed. Raises ValueError.
    """
    matrix = unfolded(weight, rank)
    values = outputs.astype(np.float64)
    seen, own = values.T @ values, matrix @ matrix.T
    mixed = _of_trace_one(seen) + OWN_SHARE * _of_trace_one(own)
    basis = np.linalg.eigh(mixed)[1][:, : -rank - 1 : -1]
    within = basis.T @ matrix
    singular = np.linalg.norm(within, axis=1)
    return _balanced(matrix, basis, singular, within / np.where(singular > 0, singular, 1.0)[:, None])


def _of_trace_one(squares: Doubles) -> Doubles:
    """Zeros as they are: a layer that wrote nothing says nothing."""
    trace = float(np.trace(squares))
    return squares / trace if trace > 0 else squares


def rank_for_energy(weight: Floats, share: float) -> int:
    """The lowest rank whose factors keep `share` of the squared singular values; at least 1. Raises ValueError."""
    energies: Doubles = np.square(singular_values(unfolded(weight)))
    kept = np.cumsum(energies)
    return min(len(energies), 1 + int(np.searchsorted(kept, share * kept[-1] * (1 - 1e-12))))


def singular_values(matrix: Doubles) -> Doubles:
    """All singular values of a matrix, falling."""
    values = np.linalg.svd(matrix, compute_uv=False)
    return values.astype(np.float64)


def leading(matrix: Doubles, rank: int) -> tuple[Doubles, Doubles, Doubles]:
    """The leading `rank` singular triplets of a matrix `[m, n]`: `[m, rank]`, `[rank]`, `[rank, n]`."""
    if matrix.shape[0] > matrix.shape[1]:
        left, singular, right = leading(matrix.T, rank)
        return right.T, singular, left.T
    basis = directions(matrix, rank)
    within = basis.T @ matrix
    singular = np.linalg.norm(within, axis=1)
    return basis, singular, within / np.where(singular > 0, singular, 1.0)[:, None]


def directions(matrix: Doubles, rank: int) -> Doubles:
    """An orthonormal basis `[m, rank]` of the leading directions of a matrix `[m, n]`, also where it has fewer."""
    if len(matrix) > EXACT_UP_TO and rank + OVERSAMPLING < min(matrix.shape):
        return _range(matrix, rank)
    basis: Doubles = np.linalg.eigh(matrix @ matrix.T)[1][:, : -rank - 1 : -1]
    return basis


def unfolded(weight: Floats, rank: int = 1) -> Doubles:
    """The weight as a matrix `[out, n]`. Raises ValueError where it isn't finite, or can't have that rank."""
    matrix = weight.reshape(weight.shape[0], -1).astype(np.float64)
    if not 1 <= rank <= min(matrix.shape):
        raise ValueError(f"rank {rank} is outside 1 to {min(matrix.shape)} for a weight of shape {weight.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"a weight of shape {weight.shape} holds values that are not finite")
    return matrix


def _balanced(matrix: Doubles, left: Doubles, singular: Doubles, right: Doubles) -> Factors:
    root = np.sqrt(singular)
    u, v = (left * root).astype(np.float32), (root[:, None] * right).astype(np.float32)
    total = float(np.square(matrix).sum())
    lost = max(0.0, total - float(np.square(singular).sum()))
    return Factors(u, v, (lost / total) ** 0.5 if total else 0.0)


def _range(matrix: Doubles, rank: int) -> Doubles:
    """An orthonormal basis `[out, rank]` of nearly the directions that a full decomposition would find."""
    random = np.random.default_rng(0)
    basis = matrix @ random.standard_normal((matrix.shape[1], rank + OVERSAMPLING))
    for _ in range(POWER_ROUNDS):
        basis = matrix @ (matrix.T @ np.linalg.qr(basis)[0])
    basis = np.linalg.qr(basis)[0]
    inside = basis.T @ matrix
    directions: Doubles = basis @ np.linalg.eigh(inside @ inside.T)[1][:, : -rank - 1 : -1]
    return directions
