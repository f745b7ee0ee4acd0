"""Summing a figure over the slices of parameters that belong to each unit of a channel group."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from methods.graph.coupling.groups import ChannelGroup


class Slices:
    """The slices of some roles (out, in, along) that the units of a group have, ready to be summed over many times.

    `only` restricts them to some parameters.
    """

    def __init__(self, group: ChannelGroup, roles: Collection[str], only: Collection[str] | None = None) -> None:
        self.units = len(group)
        self.places = [p for p in group.places if p.role in roles and (only is None or p.parameter in only)]

    def sum(self, figure: Callable[[str], Tensor]) -> Tensor:
        """`[units]`: the sum of `figure(parameter)`, a tensor of the parameter's shape, over each unit's slices."""
        total = torch.zeros(self.units, dtype=torch.float64)
        for place in self.places:
            total.index_add_(0, place.unit, _along(figure(place.parameter).double(), place.dim)[place.index])
        return total


def _along(value: Tensor, dim: int) -> Tensor:
    """The sum over every axis but `dim`: `[shape[dim]]`."""
    others = [d for d in range(value.dim()) if d != dim % value.dim()]
    return value.sum(dim=others) if others else value
