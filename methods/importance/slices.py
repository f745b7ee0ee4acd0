"""Figures over the slices of parameters that belong to each unit of a channel group, and how those of several layers
become one score."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from methods.base import BadChoice
from methods.graph.coupling.groups import ChannelGroup

REDUCTIONS = ("sum", "mean", "max", "l2")
"""How the layers of a coupled group are put together: the size of the sum of what they say (what goes when the unit
goes from all of them), their mean, the largest, or the root of the sum of squares."""


class Slices:
    """The slices of some roles (out, in, along) that the units of a group have, ready to be summed over many times.

    `only` restricts them to some parameters.
    """

    def __init__(self, group: ChannelGroup, roles: Collection[str], only: Collection[str] | None = None) -> None:
        self.units = len(group)
        self.places = [p for p in group.places if p.role in roles and (only is None or p.parameter in only)]

    def totals(self, figure: Callable[[str], Tensor]) -> Tensor:
        """`[places, units]`: the sum of `figure(parameter)`, a tensor of the parameter's shape, over each slice."""
        total = torch.zeros(len(self.places), self.units, dtype=torch.float64)
        for row, place in zip(total, self.places, strict=True):
            row.index_add_(0, place.unit, _along(figure(place.parameter).double(), place.dim)[place.index])
        return total


def readers(group: ChannelGroup, parameters: Collection[str]) -> Slices:
    """The parameters that read a unit; where none does (queries and keys read each other), those that make it."""
    found = Slices(group, ("in",), parameters)
    return found if found.places else Slices(group, ("out",), parameters)


def reduced(totals: Tensor, reduction: str) -> Tensor:
    """`[units]`, never below zero, of `[places, units]`."""
    if reduction == "max":
        return totals.abs().amax(dim=0)
    if reduction == "l2":
        return totals.square().sum(dim=0).sqrt()
    size = totals.sum(dim=0).abs()
    return size / len(totals) if reduction == "mean" else size


def check_reduction(name: str, reduction: str) -> None:
    """Raises BadChoice, with what there is."""
    if reduction not in REDUCTIONS:
        raise BadChoice(f"the importance {name!r} has no reduction {reduction!r}; there are {', '.join(REDUCTIONS)}")


def _along(value: Tensor, dim: int) -> Tensor:
    """The sum over every axis but `dim`: `[shape[dim]]`."""
    others = [d for d in range(value.dim()) if d != dim % value.dim()]
    return value.sum(dim=others) if others else value
