"""Batch-norm recalibration: the running statistics of a compressed network, measured again. No training.

Reference: Li et al., "EagleEye: fast sub-net evaluation for efficient neural network pruning", 2020, arXiv 2007.02491.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.base import Data
from methods.graph.ir import Graph
from methods.graph.norms import measure_statistics, norms_of


@dataclass(frozen=True)
class BatchNormRecalibration:
    """Leaves networks without batch normalisation as they are.

    Attributes:
        samples: how many samples the statistics are measured on. batch: samples a batch.
    """

    samples: int = 1024
    batch: int = 128
    name: str = "batch-norm"

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:  # noqa: ARG002
        """A new graph with fresh statistics; weights stay as they are. Needs at least two samples."""
        result = graph.clone()
        if norms_of(result) and len(data) > 1:
            measure_statistics(result, data.head(self.samples).inputs, self.batch)
        return result
