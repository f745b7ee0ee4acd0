"""Hints: a layer in the middle of the student learns what a layer in the middle of the teacher says.

Both values are brought to channels first. Where they differ in places (height and width, tokens), both are averaged
down to the smaller number along each axis (adaptive average pooling); where only one of them has places, over all of
them. Where they differ in channels, a learnt linear map of the student's channels (a 1x1 convolution) stands between;
it belongs to the training and is no part of the student.

Reference: Romero et al., "FitNets: hints for thin deep nets", 2015, arXiv 1412.6550, section 2.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from methods.base import Data, MethodError
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import outputs
from methods.graph.ops import kind_of
from methods.graph.taps import cut_at
from methods.losses import Outputs, relative_square

LOOKED_AT = 64
"""Samples on which shapes and the teacher's variance are found."""
POOLS: tuple[Callable[[Tensor, Any], Tensor], ...] = (
    functional.adaptive_avg_pool1d,
    functional.adaptive_avg_pool2d,
    functional.adaptive_avg_pool3d,
)
"""By the number of axes."""


class Regressor(nn.Module):
    """A learnt linear map of channels: `[n, student's channels, ...]` to `[n, teacher's channels, ...]`."""

    def __init__(self, given: int, wanted: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(wanted, given, generator=generator) / sqrt(given))
        self.bias = nn.Parameter(torch.zeros(wanted))

    def forward(self, value: Tensor) -> Tensor:
        """One channel of the result is one row of the weight over the value's channels."""
        mapped = functional.linear(value.movedim(1, -1), self.weight, self.bias)
        return mapped.movedim(-1, 1)


@dataclass(frozen=True)
class HintLoss:
    """Half the mean square distance of the student's last output (the tapped layer) from the teacher's layer, over the
    variance of the teacher's.

    Attributes:
        teacher: cut at its layer. last: for student and teacher, whether channels are the last axis.
        regressor: None where channels agree.
    """

    teacher: Graph
    last: tuple[bool, bool]
    regressor: Regressor | None
    spread: Tensor

    def __call__(self, outputs: Outputs, index: Tensor, data: Data, epoch: int) -> Tensor:  # noqa: ARG002
        """The loss of a batch."""
        with torch.no_grad():
            (wanted,) = self.teacher(*data.take(index).inputs)
        found, wanted = agreeing(channels_first(outputs[-1], self.last[0]), channels_first(wanted, self.last[1]))
        found = found if self.regressor is None else self.regressor(found)
        return relative_square(found, wanted, self.spread) / 2


def hint_loss(
    graph: Graph, teacher: Graph, pair: tuple[WeightUse, WeightUse], data: Data, generator: torch.Generator
) -> HintLoss:
    """The loss for one pair of layers (the student's, the teacher's), its regressor drawn from `generator`."""
    few = data.head(LOOKED_AT).inputs
    student, cut = cut_at(graph, pair[0].node.name), cut_at(teacher, pair[1].node.name)
    last = (channels_last(pair[0]), channels_last(pair[1]))
    (found,), (wanted,) = outputs(student, few), outputs(cut, few)
    found, wanted = channels_first(found, last[0]), channels_first(wanted, last[1])
    same = found.shape[1] == wanted.shape[1]
    regressor = None if same else Regressor(found.shape[1], wanted.shape[1], generator)
    return HintLoss(cut, last, regressor, agreeing(found, wanted)[1].var(correction=0))


def pick_pair(graph: Graph, teacher: Graph, site: str, teacher_site: str) -> tuple[WeightUse, WeightUse]:
    """The layers that a hint goes between: by their sites, or the middle one of those that both networks have.

    A layer that became several is represented by its last piece. Raises MethodError for a site that isn't there.
    """
    known = [{use.site: use for use in g.weight_uses()} for g in (graph, teacher)]
    if not site:
        shared = [s for s in known[0] if s in known[1]][:-1] or [s for s in known[0] if s in known[1]]
        if not shared:
            raise MethodError("student and teacher have no layer in common; name a pair by 'hint' and 'hint_of'")
        site = shared[(len(shared) - 1) // 2]
    wanted = (("student", site), ("teacher", teacher_site or site))
    for (who, name), sites in zip(wanted, known, strict=True):
        if name not in sites:
            raise MethodError(f"the {who} has no layer {name!r} for a hint; it has {', '.join(sites) or 'none'}")
    return known[0][wanted[0][1]], known[1][wanted[1][1]]


def channels_last(use: WeightUse) -> bool:
    """Whether a layer writes its channels into the last axis."""
    return kind_of(use.node.target) == "linear"


def channels_first(value: Tensor, last: bool) -> Tensor:
    """A layer's value as `[n, channels, ...]`."""
    return value.movedim(-1, 1) if last else value


def agreeing(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the same places: averaged down to the smaller number along each axis, or over all where one has none
    or another number of axes."""
    if one.dim() != other.dim():
        return one.flatten(2).mean(2) if one.dim() > 2 else one, other.flatten(2).mean(2) if other.dim() > 2 else other
    size = [min(a, b) for a, b in zip(one.shape[2:], other.shape[2:], strict=True)]
    return _pooled(one, size), _pooled(other, size)


def _pooled(value: Tensor, size: list[int]) -> Tensor:
    if list(value.shape[2:]) == size:
        return value
    if len(size) > 3:
        raise MethodError(f"a hint can't go between values of unlike size along {len(size)} axes; take other layers")
    return POOLS[len(size) - 1](value, size)
