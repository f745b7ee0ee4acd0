"""Where a sparse row is not zero, as the gaps from one such place to the next, in few bits each.

A gap that its width can't hold is bridged by fillers, as by the padding zeros of Deep Compression (Han et al. 2016,
arXiv 1510.00149, section 2). There a filler is an entry like any other, with a stored zero; here the highest symbol
says "as many places on, and nothing there", so that a filler takes no value.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_BITS, MOST_BITS = 2, 8
Bytes = NDArray[np.uint8]


def to_gaps(mask: NDArray[np.bool_], bits: int) -> Bytes:
    """Symbols below 2**bits for a flat `mask`: the zeros before each set place, fillers of 2**bits - 1 in between.

    Raises ValueError for a width outside 2 to 8.
    """
    _check_bits(bits)
    filler = (1 << bits) - 1
    skipped = _skipped(mask)
    fillers = skipped // filler
    symbols = np.full(len(skipped) + int(fillers.sum()), filler, dtype=np.uint8)
    symbols[np.cumsum(fillers + 1) - 1] = skipped % filler
    return symbols


def from_gaps(symbols: Bytes, bits: int, count: int) -> NDArray[np.int64]:
    """The set places of a row of `count`, rising. Raises ValueError where the last lies outside, or is a filler."""
    _check_bits(bits)
    filler = (1 << bits) - 1
    if not symbols.size:
        return np.zeros(0, dtype=np.int64)
    if int(symbols.max()) > filler or int(symbols[-1]) == filler:
        raise ValueError("a gap is wider than its bits, or leads nowhere")
    is_filler = symbols == filler
    ends = np.cumsum(symbols.astype(np.int64) + ~is_filler)
    if int(ends[-1]) > count:
        raise ValueError(f"the last place is {int(ends[-1])} of {count}")
    return np.asarray(ends[~is_filler] - 1)


def candidates(mask: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    """For every width, how often each symbol of `to_gaps` would occur."""
    skipped = _skipped(mask)
    seen = np.bincount(skipped, minlength=1)
    gaps = np.flatnonzero(seen)
    return {bits: _counts(gaps, seen[gaps], (1 << bits) - 1) for bits in range(LEAST_BITS, MOST_BITS + 1)}


def _counts(gaps: NDArray[np.int64], seen: NDArray[np.int64], filler: int) -> NDArray[np.int64]:
    counts = np.zeros(filler + 1, dtype=np.int64)
    np.add.at(counts, gaps % filler, seen)
    counts[filler] = int((gaps // filler * seen).sum())
    return counts


def _skipped(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The zeros before each set place."""
    return np.diff(np.flatnonzero(mask.reshape(-1)), prepend=-1) - 1


def _check_bits(bits: int) -> None:
    if not LEAST_BITS <= bits <= MOST_BITS:
        raise ValueError(f"gaps may be {LEAST_BITS} to {MOST_BITS} bits wide, not {bits}")
