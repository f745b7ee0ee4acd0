"""Importance by lot: the baseline that every other one has to beat.

Reference: row "random" of Srinivas and Babu, "Data-free parameter pruning for deep neural networks", 2015,
arXiv 1507.06149.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor

from methods.base import Data
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.importance.checks import at_least, layer_weights


@dataclass(frozen=True)
class Random:
    """Needs no data. The lots depend on `seed` and on the name of the site, not on what else the network has."""

    seed: int = 0
    name: str = "random"

    def __post_init__(self) -> None:
        at_least(self.name, 0, seed=self.seed)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Channel site -> numbers from 0 to 1, `[units]`."""
        return {site: self._lots(site, (len(group),)) for site, group in couple(graph).groups.items()}

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:  # noqa: ARG002
        """Parameter -> numbers from 0 to 1, of its shape."""
        return {name: self._lots(name, tuple(weight.shape)) for name, weight in layer_weights(graph).items()}

    def _lots(self, place: str, shape: tuple[int, ...]) -> Tensor:
        generator = torch.Generator().manual_seed(crc32(f"{self.seed} {place}".encode()))
        return torch.rand(shape, generator=generator, dtype=torch.float64)
