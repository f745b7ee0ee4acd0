"""LevelMethod: a WeightMethod whose form is a set of levels. A plug-in says which levels fit a weight.

The full weight stays behind the levels for training, with gradients straight through, and is left out of files and
exports. Arithmetic stays in floating point: the file gets smaller, and nothing runs faster but on hardware that shifts
by powers of two (`Op.levels`).

Reference: Bengio et al., 2013, arXiv 1308.3432 (straight-through).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log2
from typing import ClassVar

from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import POWERS_OF_TWO, Op
from methods.base import BadChoice, Data, Space, Value
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import is_full, mask_of
from methods.graph.surgery.rounding import snap_weight
from methods.graph.values import value_of
from methods.numerics.levels import Levels
from methods.weight_method import Layer, WeightMethod


@dataclass(frozen=True)
class LevelMethod(WeightMethod):
    """A form in which every entry of a weight is one of a few levels.

    Attributes:
        ends: whether the first and the last layer are offered too; papers leave them as they are. Whoever names them
            in a recipe gets them either way.
    """

    ends: bool = False
    stage: ClassVar[str] = "round"
    trains_scale: ClassVar[bool] = True

    @abstractmethod
    def words(self, layer: Layer) -> tuple[Value, ...]:
        """The values that there are for a layer, the first of which leaves it as it is."""

    @abstractmethod
    def levels(self, weight: Tensor, value: Value) -> Levels:
        """The levels for a weight. Raises ValueError where there are none."""

    @abstractmethod
    def count(self, value: Value) -> int:
        """How many levels there are."""

    def values(self, layer: Layer, device: Device) -> tuple[Value, ...]:  # noqa: ARG002
        """Those that take fewer bits than the weight, a scale for each output counted in."""
        first, *others = self.words(layer)
        room = 32 * (layer.elements - layer.shape[0])
        return (first, *(v for v in others if self._bits(v) * layer.elements < room))

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The weight with every entry on its level."""
        return self.levels(weight, value).project(weight)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Puts the levels behind the weight, and behind its mask where it has one."""
        levels = self.levels(value_of(graph, use.node.args[1]), value)
        if mask_of(graph, use) is not None and not levels.has_zero:
            raise ValueError(
                "a mask holds weights at zero there, and zero is none of its levels; use ternary or power-of-two, or "
                "leave out the mask"
            )
        snap_weight(graph, use, levels.scale, levels.pattern, levels.edges, self.trains_scale)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The operator with its weights' stored width, and whether multiplying by them is shifting."""
        return (replace(op, stored_bits=self._bits(value), levels=POWERS_OF_TWO if self.shifts(value) else ""),)

    def shifts(self, value: Value) -> bool:  # noqa: ARG002
        """Whether the levels are zeros and powers of two, times one scale or one for each output."""
        return False

    def fits(self, graph: Graph, use: WeightUse) -> bool:  # noqa: ARG002
        """Weights at full size of their own, masked or not."""
        return is_full(use)

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new graph with levels at each chosen site. Raises BadChoice, and MethodError for a broken weight."""
        taken = {use.site: use for use in graph.weight_uses() if not self.fits(graph, use)}
        for site in choices:
            if site in taken:
                raise BadChoice(f"{self.name} can't act at {site}: {_why_not(taken[site])}")
        return super().apply(graph, choices, data)

    def space(self, graph: Graph, device: Device) -> Space:
        """Every layer that can take it, without the first and the last unless `ends`."""
        offered = super().space(graph, device)
        order = [use.site for use in graph.weight_uses()]
        left_out = set() if self.ends else {*order[:1], *order[-1:]}
        return Space({site: values for site, values in offered.sites.items() if site not in left_out})

    def _bits(self, value: Value) -> float:
        return max(1.0, log2(self.count(value)))


def _why_not(use: WeightUse) -> str:
    """Why a layer's weight can't be put on levels."""
    if len(use.source.users) > 1:
        return "other layers read the same weight; leave it as it is"
    return "its weight has another form already; put only one of them there"
