"""Low-rank factors of a weight: W `[out, in, kh, kw]`, unfolded to `[out, n]`, becomes U `[out, r]` V `[r, n]`.

The truncated singular value decomposition is the best approximation of its rank (Eckart and Young, 1936). Large
matrices, of which only few directions are wanted, go through a randomised range finder (Halko, Martinsson and Tropp,
2011, arXiv 0909.4061), seeded.
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


def rank_for(shape: tuple[int, ...], share: float) -> int:
    """The rank at `share` of the full rank: rounded to the nearest, at least 1."""
    return max(1, min(full_rank(shape), round(share * full_rank(shape))))


def saves_weights(shape: tuple[int, ...], rank: int) -> bool:
    """Whether two factors of `rank` hold fewer numbers than the weight they stand for."""
    columns = int(np.prod(shape[1:], dtype=np.int64))
    return rank * (shape[0] + columns) < shape[0] * columns


def factorise(weight: NDArray[np.float32], rank: int) -> Factors:
    """The best factors of `rank`; each carries the square root of the singular values, so neither dwarfs the other.

    Raises ValueError for a rank outside 1 to the full rank, or a weight that is not finite.
    """
    matrix = _checked(weight, rank)
    return _balanced(matrix, *_leading(matrix, rank))


def factorise_for(weight: Floats, outputs: Floats, rank: int) -> Factors:
    """Factors of `rank` that keep the directions in which the layer's outputs `[rows, out]` (W x, no bias) are largest.

    The optimum for these outputs is U U^T W, U their leading directions (Zhang et al. 2015, arXiv 1505.06798, section
    2.1). A thousandth of the weight's own directions is mixed in, for inputs that no sample showed. Raises ValueError.
    """
    matrix = _checked(weight, rank)
    seen, own = outputs.astype(np.float64).T @ outputs, matrix @ matrix.T
    scale = np.trace(seen) / max(float(np.trace(own)), 1e-30)
    basis = np.linalg.eigh(seen + OWN_SHARE * scale * own)[1][:, : -rank - 1 : -1]
    within = basis.T @ matrix
    singular = np.linalg.norm(within, axis=1)
    return _balanced(matrix, basis, singular, within / np.where(singular > 0, singular, 1.0)[:, None])


def _leading(matrix: Doubles, rank: int) -> tuple[Doubles, Doubles, Doubles]:
    """The leading `rank` singular triplets: `[out, rank]`, `[rank]`, `[rank, in]`."""
    if matrix.shape[0] > matrix.shape[1]:
        left, singular, right = _leading(matrix.T, rank)
        return right.T, singular, left.T
    if len(matrix) <= EXACT_UP_TO or rank + OVERSAMPLING >= len(matrix):
        basis = np.linalg.eigh(matrix @ matrix.T)[1][:, : -rank - 1 : -1]
    else:
        basis = _range(matrix, rank)
    within = basis.T @ matrix
    singular = np.linalg.norm(within, axis=1)
    return basis, singular, within / np.where(singular > 0, singular, 1.0)[:, None]


def _checked(weight: Floats, rank: int) -> Doubles:
    """The unfolded weight `[out, n]`."""
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
