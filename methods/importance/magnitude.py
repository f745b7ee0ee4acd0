"""Importance by size: the L2 norm of the weights that make a channel.

Reference: Li et al., "Pruning filters for efficient ConvNets", 2017, arXiv 1608.08710 (there with the L1 norm); for
coupled layers the slices of all layers that make the channel count, as in Fang et al., "DepGraph", 2023,
arXiv 2301.12900.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Data
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.importance.slices import Slices


@dataclass(frozen=True)
class Magnitude:
    """Needs no data: weights only."""

    name: str = "magnitude"

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> L2 norms `[units]`."""

        def squares(parameter: str) -> Tensor:
            return graph.tensor(parameter).detach().double().square()

        groups = couple(graph).groups
        return {site: Slices(group, ("out",)).sum(squares).sqrt() for site, group in groups.items()}
