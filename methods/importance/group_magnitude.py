"""Importance by size of everything that belongs to a unit: the weights that make it and those that read it.

Each layer counts in units of its own mean, so that a layer of large weights doesn't decide for all. With half of the
channels of two small networks removed, this was worth more after retraining than the norms of filters alone
(`benchmarks/forms_peers.py`).

Reference: Fang et al., "DepGraph: towards any structural pruning", 2023, arXiv 2301.12900, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Data
from methods.graph.ir import Graph
from methods.importance.checks import finite, layer_weights
from methods.importance.slices import check_reduction, reduced
from methods.importance.unit_norms import check_norm, unit_norms

SMALLEST = 1e-12
"""Mean size below which a layer is taken for nothing but zeros."""


@dataclass(frozen=True)
class GroupMagnitude:
    """Needs no data: weights only.

    Attributes:
        norm: 1 for the sum of sizes, 2 for the root of the sum of squares.
        reduction: how the relative norms of a group's layers become one.
    """

    norm: int = 1
    reduction: str = "sum"
    name: str = "group-magnitude"

    def __post_init__(self) -> None:
        check_reduction(self.name, self.reduction)
        check_norm(self.name, self.norm)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> norms relative to the mean of their layer, `[units]`."""
        norms = unit_norms(graph, self.norm, ("out", "in"))
        relative = {site: found / found.mean(dim=1, keepdim=True).clamp_min(SMALLEST) for site, found in norms.items()}
        return finite(self.name, {site: reduced(found, self.reduction) for site, found in relative.items()})

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Parameter -> |weight| relative to the mean of its layer, of its shape."""
        sizes = {name: weight.abs() for name, weight in layer_weights(graph).items()}
        return finite(self.name, {name: size / size.mean().clamp_min(SMALLEST) for name, size in sizes.items()})
