"""Number formats as data: how many bits, how they are used, and so which numbers there are.

A format is one row of `FORMATS`. `Format.code_points` is what every other module asks of it: the finite numbers that
it has, in rising order. Level sets (powers of two, ternary, binary) are formats too: `levels_format`.

Float formats: Micikevicius et al., "FP8 formats for deep learning", 2022, arXiv 2209.05433; Rouhani et al.,
"Microscaling data formats for deep learning", 2023, arXiv 2310.10537 (4 and 6 bits).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

MOST_LISTED_BITS = 16
"""Wider formats have too many numbers to list."""


@dataclass(frozen=True)
class Format:
    """One number format.

    Attributes:
        name: as in a recipe or a data sheet. bits: of one number. kind: how the bits are read.
        signed: whether there are negative numbers.
        exponent, mantissa: bits of a float; bias: what its exponent field is too large by.
        infinities: whether the highest exponent field holds infinities and not-a-number, as in IEEE 754.
        nans: codes per sign at the top of a format without infinities that are not a number.
        symmetric: an integer format without its lowest code, so that every number has a negative.
        levels: the numbers of a level set.
    """

    name: str
    bits: int
    kind: Literal["integer", "float", "levels"]
    signed: bool = True
    exponent: int = 0
    mantissa: int = 0
    bias: int = 0
    infinities: bool = False
    nans: int = 0
    symmetric: bool = False
    levels: tuple[float, ...] = ()

    @property
    def low(self) -> int:
        """The lowest code of an integer format."""
        if not self.signed:
            return 0
        return -(1 << (self.bits - 1)) + (1 if self.symmetric else 0)

    @property
    def high(self) -> int:
        """The highest code of an integer format."""
        return (1 << (self.bits - (1 if self.signed else 0))) - 1

    @property
    def largest(self) -> float:
        """The largest finite number."""
        if self.kind == "float":
            return self._magnitude(2 ** (self.exponent + self.mantissa) - 1 - self._reserved)
        return float(self.high) if self.kind == "integer" else max(self.levels)

    def code_points(self) -> Points:
        """Every finite number of the format, once, in rising order (`[count]`). Raises ValueError above 16 bits."""
        if self.bits > MOST_LISTED_BITS:
            raise ValueError(f"{self.name} has 2^{self.bits} numbers, too many to list; at most 16 bits can be listed")
        return _points(self)

    def _magnitude(self, code: int) -> float:
        """The float whose bits without the sign are `code`."""
        field, fraction = divmod(code, 2**self.mantissa)
        if field == 0:
            return float(fraction * 2.0 ** (1 - self.bias - self.mantissa))
        return float((1.0 + fraction / 2**self.mantissa) * 2.0 ** (field - self.bias))

    @property
    def _reserved(self) -> int:
        """Codes per sign, at the top, that are no finite numbers."""
        return int(2**self.mantissa) if self.infinities else self.nans


@cache
def _points(of: Format) -> Points:
    if of.kind == "integer":
        found = np.arange(of.low, of.high + 1, dtype=np.float64)
    elif of.kind == "levels":
        found = np.array(sorted(set(of.levels)), dtype=np.float64)
    else:
        count = 2 ** (of.exponent + of.mantissa) - of._reserved
        positive = np.array([of._magnitude(code) for code in range(count)])
        found = np.concatenate([-positive[:0:-1], positive]) if of.signed else positive
    found.setflags(write=False)
    return found


def levels_format(name: str, levels: Sequence[float]) -> Format:
    """A level set as a format; its bits are those of an index. Raises ValueError where a level is not finite."""
    values = tuple(sorted({float(level) for level in levels}))
    if not values or not np.isfinite(values).all():
        raise ValueError(f"the levels of {name} must be finite numbers, at least one, not {list(levels)[:5]}")
    return Format(name, max(1, (len(values) - 1).bit_length()), "levels", values[0] < 0, levels=values)


def _integer(bits: int, signed: bool) -> Format:
    return Format(f"{'' if signed else 'u'}int{bits}", bits, "integer", signed)


def _powers(bits: int) -> list[float]:
    """Zero and the 2^(bits - 1) - 1 powers of two up to 1, with both signs."""
    return [0.0, *(sign * 2.0**-e for e in range((1 << (bits - 1)) - 1) for sign in (-1, 1))]


FORMATS: dict[str, Format] = {
    row.name: row
    for row in (
        *(_integer(bits, True) for bits in (2, 3, 4, 5, 6, 7, 8, 16)),
        *(_integer(bits, False) for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16)),
        Format("fp4-e2m1", 4, "float", exponent=2, mantissa=1, bias=1),
        Format("fp6-e2m3", 6, "float", exponent=2, mantissa=3, bias=1),
        Format("fp6-e3m2", 6, "float", exponent=3, mantissa=2, bias=3),
        Format("fp8-e4m3", 8, "float", exponent=4, mantissa=3, bias=7, nans=1),
        Format("fp8-e5m2", 8, "float", exponent=5, mantissa=2, bias=15, infinities=True),
        Format("bf16", 16, "float", exponent=8, mantissa=7, bias=127, infinities=True),
        Format("fp16", 16, "float", exponent=5, mantissa=10, bias=15, infinities=True),
        levels_format("binary", (-1, 1)),
        levels_format("ternary", (-1, 0, 1)),
        *(levels_format(f"power-of-two-{bits}", _powers(bits)) for bits in (2, 3, 4, 5)),
    )
}
"""Name -> format. Level sets are relative to a scale: a weight's largest power of two, its mean size."""
