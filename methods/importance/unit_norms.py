"""The size of a unit in each of the layers that are coupled through it: what importances by magnitude share."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from methods.base import BadChoice
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.importance.slices import Slices


def check_norm(name: str, norm: int) -> None:
    """Raises BadChoice unless the norm is 1 or 2."""
    if norm not in (1, 2):
        raise BadChoice(f"the importance {name!r} takes norm 1 or 2, not {norm}")


def unit_norms(graph: Graph, norm: int, roles: Sequence[str]) -> dict[str, Tensor]:
    """Channel site -> norms `[layers, units]` of the weights that make units (`out`) or read them (`in`)."""

    def sizes(parameter: str) -> Tensor:
        return graph.tensor(parameter).detach().double().abs() ** norm

    groups = couple(graph).groups
    return {site: Slices(group, tuple(roles)).totals(sizes) ** (1 / norm) for site, group in groups.items()}
