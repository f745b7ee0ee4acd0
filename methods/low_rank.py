"""Low rank: one linear layer or convolution becomes two thinner ones, by singular value decomposition.

A kxk convolution becomes a kxk convolution to `rank` channels and a 1x1 convolution from there. With samples, the
directions kept are those in which the layer's outputs vary most; without, those of the weight itself.

Reference: Denton et al., "Exploiting linear structure within convolutional networks", 2014, arXiv 1404.0736; Zhang et
al., "Accelerating very deep convolutional networks", 2015, arXiv 1505.06798 (this cut, and directions of outputs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from methods.base import EVERYTHING, Data
from methods.factorisation import RankedFactorisation, as_floats
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import step_through
from methods.graph.rows import Places, places_shape, written
from methods.graph.values import value_of
from methods.numerics.lowrank import Floats, factorise, factorise_for, full_rank, rank_for_energy
from methods.ranks import ENERGY, RankChoice
from methods.stages import FIRST, LAST, Layout, Stage, pointwise


@dataclass(frozen=True)
class LowRank(RankedFactorisation):
    """Choices: the rank as a share of the full rank, which is the smaller side of the unfolded weight; `rank:12`; or
    `energy:0.95`, the lowest rank that keeps this share of the weight's squared singular values.

    Attributes:
        samples: how many samples outputs are watched on; 0 keeps the directions of the weight.
        rows: at how many places of a layer's output in all.
    """

    shares: ClassVar[tuple[float, ...]] = (0.5, 0.375, 0.25, 0.125)
    words: ClassVar[tuple[str, ...]] = (ENERGY,)
    helps: ClassVar[frozenset[str]] = EVERYTHING
    samples: int = 256
    rows: int = 8192
    name: str = "low-rank"

    def unsuited(self, layout: Layout) -> str:
        """For whatever has no groups."""
        return f"it is a convolution of {layout.groups} groups" if layout.groups > 1 else ""

    def full(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of the unfolded weight."""
        return (full_rank(shape),)

    def stages(self, layout: Layout, ranks: Sequence[int]) -> tuple[Stage, ...]:
        """The kernel with the layer's own geometry to few channels, then 1x1."""
        thin = replace(layout, shape=(ranks[0], *layout.shape[1:]))
        return Stage(FIRST, thin), pointwise(LAST, (layout.shape[0], ranks[0]), len(layout.kernel))

    def found(self, weight: Floats, choice: RankChoice) -> tuple[int, ...]:
        """The lowest rank that keeps the energy."""
        return (rank_for_energy(weight, choice.energy),)

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:  # noqa: ARG002
        """V and U, by the weight alone."""
        made = factorise(weight, row[0].layout.shape[0])
        return made.v.reshape(row[0].layout.shape), made.u.reshape(row[1].layout.shape)

    def prepared(self, graph: Graph, uses: Mapping[str, Sequence[WeightUse]], data: Data) -> LowRank:
        """The method with what each chosen layer adds up, before its bias, on the samples."""
        chosen = [use for layers in uses.values() for use in layers]
        inputs = data.head(self.samples).inputs
        if not chosen or not len(inputs[0]):
            return self
        generator = torch.Generator().manual_seed(0)
        seen: dict[str, Tensor] = {}

        def remember(use: WeightUse, value: Tensor) -> None:
            places = Places.random(places_shape(use.node, tuple(value.shape)), self.rows, generator)
            seen[use.node.name] = written(use.node, value, places) - _bias(graph, use)

        step_through(graph, inputs, after={use.node.name: partial(remember, use) for use in chosen})
        return _Seeing(self.samples, self.rows, self.name, seen)


@dataclass(frozen=True)
class _Seeing(LowRank):
    """Keeps the directions of outputs that it has seen: node name -> `[rows, out]`."""

    outputs: Mapping[str, Tensor] = field(default_factory=dict)

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:
        outputs = self.outputs.get(use.node.name) if use is not None else None
        if outputs is None:
            return super().factors(weight, row, use)
        made = factorise_for(weight, as_floats(outputs), row[0].layout.shape[0])
        return made.v.reshape(row[0].layout.shape), made.u.reshape(row[1].layout.shape)


def _bias(graph: Graph, use: WeightUse) -> Tensor:
    bias = use.node.args[2] if len(use.node.args) > 2 else None
    return torch.zeros(()) if bias is None else value_of(graph, bias)
