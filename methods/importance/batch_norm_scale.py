"""Importance by the scale that batch normalisation learned for a channel: |gamma|.

Reference: Liu et al., "Learning efficient convolutional networks through network slimming", 2017, arXiv 1708.06519.
The recovery "slimming" trains a network so that its scales tell more.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, fx

from methods.base import Data
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.graph.ops import kind_of
from methods.importance.checks import finite, units_only
from methods.importance.slices import Slices, check_reduction, reduced


@dataclass(frozen=True)
class BatchNormScale:
    """Needs no data. Says nothing about channels that no batch normalisation scales.

    Attributes:
        reduction: how the scales of several normalisations become one.
    """

    reduction: str = "sum"
    name: str = "batch-norm-scale"

    def __post_init__(self) -> None:
        check_reduction(self.name, self.reduction)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> |gamma| `[units]`, for the sites that have one."""
        scales = set(scales_of(graph))

        def size(parameter: str) -> Tensor:
            return graph.tensor(parameter).detach().abs()

        slices = {site: Slices(group, ("along",), scales) for site, group in couple(graph).groups.items()}
        found = {site: reduced(s.totals(size), self.reduction) for site, s in slices.items() if s.places}
        return finite(self.name, found)

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Raises MethodError: a scale belongs to a channel."""
        units_only(self.name, "a scale of a batch normalisation belongs to a whole channel")


def scales_of(graph: Graph) -> list[str]:
    """The parameters that scale channels after a batch normalisation, once each."""
    scales = [n.args[1] for n in graph.nodes if kind_of(n.target) == "batch_norm"]
    return list(dict.fromkeys(str(s.target) for s in scales if isinstance(s, fx.Node)))
