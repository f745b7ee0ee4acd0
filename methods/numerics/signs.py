"""Products of +-1 tensors by bits: exclusive-or and a count of ones in place of multiplications and additions.

For two rows of n signs that differ in d places, the product is n - 2 d. Places that are padding count for nothing.

Reference: Rastegari et al., "XNOR-Net", 2016, arXiv 1603.05279; Hubara et al., "Binarized neural networks", 2016,
arXiv 1602.02830, section 3.3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORD = 64

Words = NDArray[np.uint64]


def pack_signs(values: NDArray[np.float32]) -> Words:
    """Rows of numbers `[rows, n]` as bits `[rows, ceil(n / 64)]`: 1 for zero and above, 0 below."""
    return _packed(values >= 0)


def sign_product(a: Words, b: Words, count: int) -> NDArray[np.int64]:
    """`[m, n]`: the product of every row of `a` `[m, words]` with every row of `b` `[n, words]`, of `count` signs."""
    differing = np.bitwise_count(a[:, None, :] ^ b[None, :, :]).sum(axis=2, dtype=np.int64)
    product: NDArray[np.int64] = count - 2 * differing
    return product


def masked_sign_product(a: Words, b: Words, valid: Words) -> NDArray[np.int64]:
    """The same where only the places set in `valid` `[m, words]` count: those of `a` that are no padding."""
    differing = np.bitwise_count((a[:, None, :] ^ b[None, :, :]) & valid[:, None, :]).sum(axis=2, dtype=np.int64)
    counts = np.bitwise_count(valid).sum(axis=1, dtype=np.int64)
    product: NDArray[np.int64] = counts[:, None] - 2 * differing
    return product


def pack_flags(flags: NDArray[np.bool_]) -> Words:
    """Rows of truth values `[rows, n]` as bits: which places count."""
    return _packed(flags)


def _packed(flags: NDArray[np.bool_]) -> Words:
    rows, count = flags.shape
    padded = np.zeros((rows, -(-count // WORD) * WORD), dtype=np.uint8)
    padded[:, :count] = flags
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)
