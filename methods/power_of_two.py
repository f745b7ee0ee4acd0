"""Powers of two: every weight becomes 0 or +-2^e, so that a multiplication is a shift.

The largest exponent is the one nearest to the largest weight, the others follow downwards, as many as the bits allow.
Levels don't move in training, only which weight is on which.

Reference: Zhou et al., "Incremental network quantization", 2017, arXiv 1702.03044.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.base import Value
from methods.level_method import LevelMethod
from methods.numerics.levels import Levels
from methods.numerics.powers import magnitudes_of, powers_of_two
from methods.weight_method import Layer, refuse

WIDTHS = (5, 4, 3, 2)
"""What a search may choose: more bits only add levels near zero."""


@dataclass(frozen=True)
class PowerOfTwo(LevelMethod):
    """Choices: the bits of a weight, 2 to 8; 0 leaves the weight as it is.

    Attributes:
        incremental: the set of the paper, whose zero has a bit of its own: half as many powers of two.
    """

    incremental: bool = False
    name: str = "power-of-two"
    trains_scale: ClassVar[bool] = False

    def words(self, layer: Layer) -> tuple[Value, ...]:  # noqa: ARG002
        return (0, *WIDTHS)

    def checked(self, site: str, value: Value) -> Value | None:
        """The bits, None for 0. Raises BadChoice."""
        if isinstance(value, bool) or not isinstance(value, int) or not (value == 0 or 2 <= value <= 8):
            raise refuse(self.name, site, value, "2 to 8 bits, or 0 to leave it as is")
        return value or None

    def levels(self, weight: Tensor, value: Value) -> Levels:
        """Zero and powers of two, up to the one nearest to the largest weight."""
        return powers_of_two(weight, int(value), self.incremental)

    def shifts(self, value: Value) -> bool:  # noqa: ARG002
        """Whether multiplying by a level is shifting."""
        return True

    def count(self, value: Value) -> int:
        return 2 * magnitudes_of(int(value), self.incremental) + 1
