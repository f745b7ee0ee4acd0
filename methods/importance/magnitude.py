"""Importance by size: the L1 or L2 norm of the weights that make a channel.

Reference: Li et al., "Pruning filters for efficient ConvNets", 2017, arXiv 1608.08710 (the L1 norm, "magnitude-l1");
Han et al., "Learning both weights and connections for efficient neural networks", 2015, arXiv 1506.02626 (single
weights). For coupled layers the slices of all layers that make the channel count, as in Fang et al., "DepGraph", 2023,
arXiv 2301.12900.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Data
from methods.graph.ir import Graph
from methods.importance.checks import finite, layer_weights
from methods.importance.slices import check_reduction, reduced
from methods.importance.unit_norms import check_norm, unit_norms


@dataclass(frozen=True)
class Magnitude:
    """Needs no data: weights only.

    Attributes:
        norm: 1 for the sum of sizes, 2 for the root of the sum of squares.
        reduction: how the norms of coupled layers become one; "l2" makes it the norm of all of them laid together.
    """

    norm: int = 2
    reduction: str = "l2"
    name: str = "magnitude"

    def __post_init__(self) -> None:
        check_reduction(self.name, self.reduction)
        check_norm(self.name, self.norm)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> norms `[units]`."""
        norms = unit_norms(graph, self.norm, ("out",))
        return finite(self.name, {site: reduced(found, self.reduction) for site, found in norms.items()})

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Parameter -> |weight|, of its shape: either norm puts single weights in the same order."""
        return finite(self.name, {name: weight.abs() for name, weight in layer_weights(graph).items()})
