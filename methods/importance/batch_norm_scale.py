"""Importance by the scale that batch normalisation learned for a channel: |gamma|.

Reference: Liu et al., "Learning efficient convolutional networks through network slimming", 2017, arXiv 1708.06519.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, fx

from methods.base import Data
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.graph.ops import kind_of
from methods.importance.slices import Slices


@dataclass(frozen=True)
class BatchNormScale:
    """Needs no data. Says nothing about channels that no batch normalisation scales."""

    name: str = "batch-norm-scale"

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> summed |gamma| `[units]`, for the sites that have one."""
        scales = {str(n.args[1].target) for n in graph.nodes if _is_scaled(n)}  # type: ignore[union-attr]

        def size(parameter: str) -> Tensor:
            return graph.tensor(parameter).detach().abs()

        slices = {site: Slices(group, ("along",), scales) for site, group in couple(graph).groups.items()}
        return {site: found.sum(size) for site, found in slices.items() if found.places}


def _is_scaled(node: fx.Node) -> bool:
    return kind_of(node.target) == "batch_norm" and isinstance(node.args[1], fx.Node)
