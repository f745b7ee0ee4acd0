"""Look-ups that a rule makes: the file keeps the rule in place of an index for every weight.

Hashed buckets (Chen et al. 2015, arXiv 1504.04788) follow from a seed, circulant blocks (Cheng et al. 2015, arXiv
1502.03436) from the size of a block. A rule is only used after it has been followed and gave the very same indices.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from methods.numerics.circulant import blocks_shape, diagonals
from methods.numerics.hashing import hashed
from methods.storage.payload import Reader, StorageError, number

HASHED, CIRCULANT = 1, 2
SEEDS = 16
"""Seeds that are tried, from 0 on."""


Places = tuple[NDArray[np.int32], NDArray[np.int8] | None]
"""What a rule makes for a weight: flat indices into its values, and signs of its shape, if it makes any."""


def rule_of(
    kind: str, shape: tuple[int, ...], values: int, indices: NDArray[Any], signs: NDArray[np.int8] | None
) -> bytes:
    """The rule behind `indices` (and hashed signs) of a weight with so many values; empty where none is found."""
    if kind == "buckets" and 1 <= values <= prod(shape) and shape and shape[0]:
        for seed in range(SEEDS):
            made = hashed(shape, values, seed)
            if np.array_equal(made.indices.reshape(-1), indices) and (
                signs is None or np.array_equal(made.signs, signs)
            ):
                return bytes([HASHED]) + number(seed)
    if kind == "circulant" and len(shape) >= 2:
        for block in range(1, max(shape[:2]) + 1):
            if prod(blocks_shape(shape, block)) == values and np.array_equal(_diagonals(shape, block), indices):
                return bytes([CIRCULANT]) + number(block)
    return b""


def followed(reader: Reader, shape: tuple[int, ...], values: int) -> Places:
    """What the rule that comes next makes. Raises StorageError where it doesn't fit shape and values."""
    which = reader.number(HASHED, CIRCULANT, "rule")
    try:
        if which == HASHED:
            made = hashed(shape, values, reader.number(0, SEEDS - 1, "seed"))
            return (made.indices.reshape(-1), made.signs)
        block = reader.number(1, max(shape[:2], default=0), "block")
        if len(shape) < 2 or prod(blocks_shape(shape, block)) != values:
            raise StorageError(f"circulant blocks of {block} don't make {values} values of shape {list(shape)}")
        return (_diagonals(shape, block), None)
    except (ValueError, ZeroDivisionError, IndexError) as error:
        raise StorageError(f"a packed tensor's rule does not fit it: {error}") from error


def _diagonals(shape: tuple[int, ...], block: int) -> NDArray[np.int32]:
    found: NDArray[np.int32] = diagonals(shape, block).numpy().reshape(-1).astype(np.int32)
    return found
