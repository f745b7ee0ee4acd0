"""Factorisation: a WeightMethod that puts a row of thinner layers in the place of one.

A plug-in says which layers suit, what the row is, and what its weights are. Surgery, plans and refusals are here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import BadChoice, Data, Value
from methods.graph.ir import Graph, WeightUse
from methods.graph.ops import kind_of
from methods.graph.surgery.chains import is_piece, layout_of, split_layer
from methods.graph.surgery.forms import is_plain
from methods.numerics.compose import composed
from methods.numerics.lowrank import Floats
from methods.ranks import RankChoice, at_share, check_ranks, rank_choice
from methods.stages import Layout, Stage, in_stages, weights_in
from methods.weight_method import KINDS, Layer, WeightMethod


@dataclass(frozen=True)
class Factorisation(WeightMethod):
    """One layer as a row of layers.

    Where the weight decides ("energy:0.95"), plans count the layer as it is, and a layer whose row would hold no fewer
    weights stays. Ranks that are asked for in numbers are taken as they are.
    """

    stage: ClassVar[str] = "factor"
    runs: ClassVar[bool] = True

    @abstractmethod
    def unsuited(self, layout: Layout) -> str:
        """Why a layer can't be factorised this way ("its kernel is 1x1"); empty where it can."""

    @abstractmethod
    def row(self, site: str, layout: Layout, value: Value, weight: Floats | None) -> tuple[Stage, ...]:
        """The layers that take the place of one. None where the weight decides and is not there, or has no thinner row.
        Raises BadChoice for a rank that the layer can't have, ValueError for a weight that is not finite."""

    @abstractmethod
    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:
        """The weights of a row, each of its stage's shape; `use` is the layer, where it is one in a graph."""

    def fits(self, graph: Graph, use: WeightUse) -> bool:
        """Plain weights of layers that suit, each once."""
        return kind_of(use.node.target) in KINDS and not self._why_not(graph, use)

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new graph with a row of layers at each chosen site. Raises BadChoice; MethodError for a broken weight."""
        for use in graph.weight_uses():
            if use.site in choices and (reason := self._why_not(graph, use)):
                raise BadChoice(f"{self.name} can't act at {use.site!r}: {reason}")
        return super().apply(graph, choices, data)

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The weight of the layer that the row equals."""
        if self.checked("this weight", value) is None:
            return weight.clone()
        given = as_floats(weight)
        layout = plain_layout(tuple(weight.shape))
        row = self.row("this weight", layout, value, given)
        if not row:
            return weight.clone()
        made = [torch.from_numpy(piece) for piece in self.factors(given, row, None)]
        return composed(made, [stage.layout.groups for stage in row]).to(weight)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Puts the row in the layer's place, where there is one."""
        weight = graph.tensor(use.weight).detach()
        given = as_floats(weight)
        if row := self.row(use.site, layout_of(graph, use), value, given):
            made = [torch.from_numpy(piece).to(weight) for piece in self.factors(given, row, use)]
            split_layer(graph, use, row, made)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The operators of the row; the operator as it is where only the weight can tell, or where it is a piece of
        one already."""
        if op.piece:
            return (op,)
        row = self.row(op.site, Layout.of(op), value, None)
        return in_stages(op, row) if row else (op,)

    def _why_not(self, graph: Graph, use: WeightUse) -> str:
        if kind_of(use.node.target) not in KINDS:
            return "it is a transposed convolution"
        if is_piece(graph, use.weight):
            return "it is factorised already; a layer takes one factorisation"
        if use.node.args[1] is not use.source:
            return (
                "its weight has another form already; factorise full weights first: masks, sharing and rounding "
                "come after in a recipe"
            )
        if not is_plain(use):
            return "other layers read the same weight"
        return self.unsuited(layout_of(graph, use))


@dataclass(frozen=True)
class RankedFactorisation(Factorisation):
    """A factorisation that is chosen by ranks. Choices: shares of the full ranks, `rank:..`, or one of `words`."""

    shares: ClassVar[tuple[float, ...]] = ()
    words: ClassVar[tuple[str, ...]] = ()
    count: ClassVar[int] = 1

    @abstractmethod
    def full(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The largest ranks that a weight of this shape can have."""

    @abstractmethod
    def stages(self, layout: Layout, ranks: Sequence[int]) -> tuple[Stage, ...]:
        """The row at these ranks."""

    @abstractmethod
    def found(self, weight: Floats, choice: RankChoice) -> tuple[int, ...]:
        """The ranks of one weight that an energy or a word asks for."""

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """The shares at which the row holds fewer weights than the layer."""
        layout = plain_layout(layer.shape)
        saving = [s for s in self.shares if weights_in(self._at(layout, s)) < layer.elements]
        return [1.0, *saving]

    def checked(self, site: str, value: Value) -> Value | None:
        """The value; None for 1, which leaves a layer as it is. Raises BadChoice."""
        choice = rank_choice(self.name, site, value, self.count, self.words)
        return None if choice.share == 1.0 else value

    def row(self, site: str, layout: Layout, value: Value, weight: Floats | None) -> tuple[Stage, ...]:
        """As Factorisation says."""
        choice = rank_choice(self.name, site, value, self.count, self.words)
        if choice.share:
            return self._at(layout, choice.share)
        if choice.ranks:
            check_ranks(self.name, site, choice.ranks, self.full(layout.shape))
            return self.stages(layout, choice.ranks)
        found = () if weight is None else self.stages(layout, self.found(weight, choice))
        return found if weights_in(found) < layout.weights else ()

    def _at(self, layout: Layout, share: float) -> tuple[Stage, ...]:
        return self.stages(layout, at_share(self.full(layout.shape), share))


def as_floats(values: Tensor) -> Floats:
    """Numbers of any precision, on any device, for the arithmetic of numerics."""
    floats: Floats = values.detach().float().cpu().numpy()
    return floats


def plain_layout(shape: tuple[int, ...]) -> Layout:
    """The layout of a layer whose weight alone is known: steps of 1, no padding."""
    axes = len(shape) - 2
    return Layout(shape, (1,) * axes, (0,) * axes, (1,) * axes)
