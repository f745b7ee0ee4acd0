"""Hashed weights: a cheap hash of its place says which of a few buckets a weight reads, and with which sign.

Nothing but the buckets is stored: places hash to the same buckets wherever the hash is computed. It is that of
32-bit MurmurHash3's last step, `h ^= h >> 16; h *= 0x85EBCA6B; h ^= h >> 13; h *= 0xC2B2AE35; h ^= h >> 16`, on

    h = row * 0x9E3779B1 + column * 0x85EBCA77 + seed * 0xC2B2AE3D + 0x27D4EB2F   (mod 2^32)

whose upper bits choose the bucket, `h * buckets >> 32`, and whose lowest bit the sign (0: plus).

Reference: Chen et al., "Compressing neural networks with the hashing trick", 2015, arXiv 1504.04788.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Hashed:
    """`indices` (int32, which bucket) and `signs` (int8, 1 or -1), both of the weight's shape."""

    indices: NDArray[np.int32]
    signs: NDArray[np.int8]


def hashed(shape: tuple[int, ...], buckets: int, seed: int) -> Hashed:
    """Where the places of a weight of `shape` `[out, ...]` go; the column is the place in the row, all axes unrolled.

    Raises ValueError for less than one bucket or more than there are places, and for a seed outside 0 to 2^32 - 1.
    """
    size = int(np.prod(shape))
    if not 1 <= buckets <= size or not 0 <= seed < 1 << 32:
        raise ValueError(
            f"a weight of {size} numbers takes 1 to {size} buckets, not {buckets}, and a seed from 0 (32 bits)"
        )
    rows = np.arange(shape[0], dtype=np.uint32)[:, None] * np.uint32(0x9E3779B1)
    columns = np.arange(size // shape[0], dtype=np.uint32) * np.uint32(0x85EBCA77)
    codes = _mixed(rows + columns + np.uint32((seed * 0xC2B2AE3D + 0x27D4EB2F) & 0xFFFFFFFF)).reshape(shape)
    indices = (codes.astype(np.uint64) * np.uint64(buckets)) >> np.uint64(32)
    return Hashed(indices.astype(np.int32), (1 - 2 * (codes & 1).astype(np.int8)).astype(np.int8))


def bucket_values(weight: Floats, places: Hashed, buckets: int) -> Floats:
    """The values `[buckets]` with the least squared error: the mean of sign times weight over a bucket's members.

    A bucket that nobody reads is 0.
    """
    index = places.indices.reshape(-1)
    members = np.bincount(index, minlength=buckets)
    sums = np.bincount(index, (weight * places.signs).reshape(-1), buckets)
    return (sums / np.maximum(members, 1)).astype(np.float32)


def expanded(values: Floats, places: Hashed) -> Floats:
    """The weight that the buckets stand for."""
    weight: Floats = values[places.indices] * places.signs
    return weight


def _mixed(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    codes = (codes ^ (codes >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    codes = (codes ^ (codes >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return codes ^ (codes >> np.uint32(16))
