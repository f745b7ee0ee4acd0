"""Tucker-2: a convolution becomes a 1x1 one to few channels, one with the kernel between those, and a 1x1 one back.

Both channel modes get a rank of their own; variational Bayes can choose them ("vbmf").

Reference: Kim et al., "Compression of deep convolutional neural networks for fast and low power mobile applications",
2016, arXiv 1511.06530.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from methods.factorisation import RankedFactorisation
from methods.graph.ir import WeightUse
from methods.numerics.lowrank import Floats
from methods.numerics.tucker import full_ranks, tucker2, vbmf_ranks
from methods.ranks import RankChoice
from methods.stages import FIRST, LAST, Layout, Stage, pointwise

CORE = "core"


@dataclass(frozen=True)
class Tucker2(RankedFactorisation):
    """Choices: both ranks as a share of the full ones, `rank:8,16` (inputs, outputs), or `vbmf`.

    Attributes:
        rounds: of orthogonal iteration behind the higher-order SVD.
    """

    shares: ClassVar[tuple[float, ...]] = (0.75, 0.5, 0.375, 0.25)
    words: ClassVar[tuple[str, ...]] = ("vbmf",)
    count: ClassVar[int] = 2
    rounds: int = 2
    name: str = "tucker-2"

    def unsuited(self, layout: Layout) -> str:
        """For ungrouped convolutions with a kernel."""
        return no_kernel(layout)

    def full(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of inputs and outputs."""
        return full_ranks(shape)

    def stages(self, layout: Layout, ranks: Sequence[int]) -> tuple[Stage, ...]:
        """1x1, the kernel with the layer's own geometry, 1x1."""
        r_in, r_out = ranks
        axes = len(layout.kernel)
        core = replace(layout, shape=(r_out, r_in, *layout.kernel))
        first = pointwise(FIRST, (r_in, layout.shape[1]), axes)
        return first, Stage(CORE, core), pointwise(LAST, (layout.shape[0], r_out), axes)

    def found(self, weight: Floats, choice: RankChoice) -> tuple[int, ...]:  # noqa: ARG002
        """By variational Bayes."""
        return vbmf_ranks(weight)

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:  # noqa: ARG002
        """V, core and U."""
        shapes = [stage.layout.shape for stage in row]
        made = tucker2(weight, shapes[1][1], shapes[1][0], self.rounds)
        return made.v.reshape(shapes[0]), made.core, np.ascontiguousarray(made.u).reshape(shapes[2])


def no_kernel(layout: Layout) -> str:
    """Why a layer isn't an ungrouped convolution with a kernel; empty where it is."""
    if not layout.kernel:
        return "it is a linear layer; use low-rank"
    if layout.groups > 1:
        return f"it is a convolution of {layout.groups} groups"
    return "its kernel is of size 1; use low-rank" if max(layout.kernel) == 1 else ""
