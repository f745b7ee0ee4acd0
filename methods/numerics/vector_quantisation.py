"""Vector quantisation: pieces of a weight's rows become indices into a codebook of such pieces.

Product quantisation cuts rows into sub-vectors of length d and clusters each column of sub-vectors by itself, or all
of them together; residual quantisation clusters what is left over once more, and adds up. An index of log2(k) bits
then stands for d weights.

Reference: Gong et al., "Compressing deep convolutional networks using vector quantization", 2014, arXiv 1412.6115,
sections 3.2.2 and 3.2.3; starts: Arthur and Vassilvitskii, "k-means++", 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 50
STARTS, FEW = 8, 1 << 18
"""So many starts are tried where vectors times centres are few: one may end in a poor place."""
CHUNK = 1 << 14
"""Vectors that are compared with all centres at a time, to bound the memory."""

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Codebook:
    """`centres` `[k, d]`, and for every vector `[n]` the index of its own."""

    centres: Floats
    indices: Places

    @property
    def vectors(self) -> Floats:
        """What stands for the vectors, `[n, d]`."""
        taken: Floats = self.centres[self.indices]
        return taken


def cluster_vectors(vectors: Floats, count: int, seed: int = 0) -> Codebook:
    """k-means of `vectors` `[n, d]`: at most `count` centres, fewer where there are fewer different vectors.

    The same seed gives the same codebook. Raises ValueError for no vectors, values that are not finite, or no centre.
    """
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all() or count < 1:
        raise ValueError(f"cannot find {count} centres for vectors of shape {vectors.shape}, or they are not finite")
    different, same = np.unique(vectors, axis=0, return_inverse=True)
    if len(different) <= count:
        return Codebook(different, same.reshape(-1))
    rng = np.random.default_rng(seed)
    tries = STARTS if len(vectors) * count <= FEW else 1
    found = [_moved(vectors, _spread_out(vectors, count, rng)) for _ in range(tries)]
    return min(found, key=lambda made: float(np.square(made.vectors - vectors).sum()))


def _moved(vectors: Floats, centres: Floats) -> Codebook:
    """Lloyd's algorithm from these centres."""
    indices = np.full(len(vectors), -1)
    for _ in range(ROUNDS):
        moved, errors = _assigned(vectors, centres)
        if np.array_equal(moved, indices):
            break
        indices = moved
        centres = _means(vectors, indices, centres, errors)
    return Codebook(centres, _assigned(vectors, centres)[0])


def pieces(weight: Floats, length: int) -> Floats:
    """The rows of `weight` `[rows, columns]` cut into sub-vectors, `[n, length]`, row by row.

    Raises ValueError where `length` does not divide the columns.
    """
    if weight.ndim != 2 or not 1 <= length <= weight.shape[1] or weight.shape[1] % length:
        raise ValueError(f"sub-vectors of {length} don't divide the rows of a weight of shape {weight.shape}")
    return weight.reshape(-1, length)


def product_quantised(weight: Floats, length: int, count: int, seed: int = 0) -> Floats:
    """`weight` `[rows, columns]` with every sub-vector of `length` at its nearest of the `count` for its place."""
    rows = pieces(weight, length).reshape(len(weight), -1, length)
    made = [cluster_vectors(rows[:, place], count, seed).vectors for place in range(rows.shape[1])]
    return np.stack(made, axis=1).reshape(weight.shape)


def residual_quantised(weight: Floats, length: int, count: int, rounds: int, seed: int = 0) -> Floats:
    """`weight` as a sum of `rounds` sub-vectors for each place, the later ones for what the earlier ones leave over."""
    whole = pieces(weight, length)
    made = np.zeros_like(whole)
    for turn in range(rounds):
        found = cluster_vectors(whole - made, count, seed + turn)
        made = made + found.vectors
    return made.reshape(weight.shape)


def _spread_out(vectors: Floats, count: int, random: np.random.Generator) -> Floats:
    """Starts as k-means++ draws them: each vector with a chance that grows with the square of its distance."""
    chosen = [int(random.integers(len(vectors)))]
    nearest = np.square(vectors - vectors[chosen[0]]).sum(1, dtype=np.float64)
    while len(chosen) < count:
        chosen.append(int(random.choice(len(vectors), p=nearest / nearest.sum())))
        nearest = np.minimum(nearest, np.square(vectors - vectors[chosen[-1]]).sum(1))
    return vectors[chosen]


def _assigned(vectors: Floats, centres: Floats) -> tuple[Places, NDArray[np.float64]]:
    """The nearest centre of every vector, and the squared distance to it."""
    indices, errors = np.zeros(len(vectors), np.int64), np.zeros(len(vectors))
    for at in range(0, len(vectors), CHUNK):
        some = vectors[at : at + CHUNK].astype(np.float64)
        apart = np.square(centres, dtype=np.float64).sum(1) - 2 * some @ centres.T.astype(np.float64)
        indices[at : at + CHUNK] = apart.argmin(1)
        errors[at : at + CHUNK] = np.maximum(apart.min(1) + np.square(some).sum(1), 0)
    return indices, errors


def _means(vectors: Floats, indices: Places, centres: Floats, errors: NDArray[np.float64]) -> Floats:
    """The mean of each centre's members; a centre without any moves to a vector that is badly off."""
    members = np.bincount(indices, minlength=len(centres))
    sums = np.stack([np.bincount(indices, column, len(centres)) for column in vectors.T], axis=1)
    result = (sums / np.maximum(members, 1)[:, None]).astype(np.float32)
    empty = np.flatnonzero(members == 0)
    result[empty] = vectors[np.argsort(-errors, kind="stable")[: len(empty)]]
    return result
