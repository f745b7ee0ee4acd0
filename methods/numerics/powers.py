"""Powers of two: levels 0 and +-2^e, so that a multiplication is a shift.

The largest exponent is the one that is nearest to the largest magnitude; every entry goes to its nearest level.

Reference: Zhou et al., "Incremental network quantization", 2017, arXiv 1702.03044, section 2.1.
"""

from __future__ import annotations

from math import floor, log2

import torch
from torch import Tensor

from methods.numerics.levels import Levels, checked, halfway

LOWEST = -126
"""The smallest exponent of a normal 32-bit float."""


def magnitudes_of(bits: int, incremental: bool = False) -> int:
    """How many powers of two a code of `bits` bits holds, next to zero and the sign.

    Args:
        incremental: as in the paper, whose zero takes a whole bit: 2^(bits - 2) of them instead of 2^(bits - 1) - 1.

    Raises ValueError for fewer than 2 or more than 8 bits.
    """
    if isinstance(bits, bool) or not 2 <= bits <= 8:
        raise ValueError(f"powers of two take 2 to 8 bits, not {bits!r}")
    return 1 << (bits - 2) if incremental else (1 << (bits - 1)) - 1


def powers_of_two(weight: Tensor, bits: int, incremental: bool = False) -> Levels:
    """The levels for a weight: `pattern` holds powers of two relative to the largest, `scale` `[1]` is that one.

    Raises ValueError for another width and a weight that is not finite.
    """
    count = magnitudes_of(bits, incremental)
    top = largest_exponent(float(checked(weight).abs().max()))
    positive = torch.ldexp(torch.ones(count, dtype=torch.float64), torch.arange(1 - count, 1))
    pattern = torch.cat([-positive.flip(0), torch.zeros(1, dtype=torch.float64), positive])
    edges = halfway(pattern * 2.0**top).float()
    return Levels(torch.tensor([2.0**top]), pattern.float(), edges)


def largest_exponent(largest: float) -> int:
    """The exponent of the power of two nearest to `largest`: half way between two of them is 1.5 times the lower."""
    if largest <= 0.0:
        return 0
    return max(LOWEST, min(127, floor(log2(largest * 4 / 3))))


def nearest_power_slowly(value: float, exponents: range) -> float:
    """One entry by trying every level: the obvious twin of `powers_of_two`."""
    levels = [0.0, *(sign * 2.0**e for e in exponents for sign in (-1.0, 1.0))]
    return min(levels, key=lambda level: (abs(value - level), abs(level)))
