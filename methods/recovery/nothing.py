"""No recovery: the network stays as the methods left it, as post-training compression means it.

Reference: Nagel et al., "A white paper on neural network quantization", 2021, arXiv 2106.08295, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.base import Data
from methods.graph.ir import Graph


@dataclass(frozen=True)
class Nothing:
    """Changes nothing; needs no data."""

    name: str = "none"

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:  # noqa: ARG002
        """A copy."""
        return graph.clone()
