"""Separable filters: a convolution becomes a vertical one to few channels and a horizontal one from there.

Reference: Jaderberg, Vedaldi and Zisserman, "Speeding up convolutional neural networks with low rank expansions", 2014,
arXiv 1405.3866 (scheme 2, by filter reconstruction); its closed form: Tai et al., 2016, arXiv 1511.06067.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from methods.factorisation import RankedFactorisation
from methods.graph.ir import WeightUse
from methods.numerics.lowrank import Floats
from methods.numerics.separable import full_rank, separable_rank, separate
from methods.ranks import ENERGY, RankChoice
from methods.stages import FIRST, LAST, Layout, Stage


@dataclass(frozen=True)
class Separable(RankedFactorisation):
    """Choices: the channels in the middle as a share of those that make it exact, `rank:4`, or `energy:0.95`."""

    shares: ClassVar[tuple[float, ...]] = (0.375, 0.25, 0.125, 0.0625)
    words: ClassVar[tuple[str, ...]] = (ENERGY,)
    name: str = "separable"

    def unsuited(self, layout: Layout) -> str:
        """For ungrouped 2-D convolutions with a kernel both ways."""
        if len(layout.kernel) != 2:
            return "it is no 2-D convolution"
        if layout.groups > 1:
            return f"it is a convolution of {layout.groups} groups"
        return "its kernel has one row or column; use low-rank" if min(layout.kernel) == 1 else ""

    def full(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The rank of the rearranged weight."""
        return (full_rank(shape),)

    def stages(self, layout: Layout, ranks: Sequence[int]) -> tuple[Stage, ...]:
        """Down with the layer's own vertical geometry, then across with its horizontal one."""
        out, given, height, width = layout.shape
        moves = zip(layout.stride, layout.padding, layout.dilation, strict=True)
        (s0, p0, d0), (s1, p1, d1) = moves
        down = Layout((ranks[0], given, height, 1), (s0, 1), (p0, 0), (d0, 1))
        across = Layout((out, ranks[0], 1, width), (1, s1), (0, p1), (1, d1))
        return Stage(FIRST, down), Stage(LAST, across)

    def found(self, weight: Floats, choice: RankChoice) -> tuple[int, ...]:
        """The fewest channels that keep the energy."""
        return (separable_rank(weight, choice.energy),)

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:  # noqa: ARG002
        """V and U."""
        made = separate(weight, row[0].layout.shape[0])
        return made.v, made.u
