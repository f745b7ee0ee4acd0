"""Importance by effect: how much the loss would change, to first order, if a channel or a weight were gone.

Removing a channel is the same as setting the weights that read it to zero, so the first term of the Taylor series is
the sum of weight times gradient over those weights; it equals the sum of activation times gradient over all positions.
Its size is averaged over small batches, so that effects of different samples don't cancel.

Reference: Molchanov et al., "Pruning convolutional neural networks for resource efficient inference", 2017,
arXiv 1611.06440, and "Importance estimation for neural network pruning", 2019, arXiv 1906.10771. At single weights it
is the connection sensitivity of Lee et al., "SNIP", 2019, arXiv 1810.02340, before it is divided by its sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Data
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.importance.checks import at_least, finite, layer_weights, samples
from methods.importance.gradients import slopes
from methods.importance.slices import check_reduction, readers, reduced


@dataclass(frozen=True)
class Taylor:
    """The loss is cross-entropy against the labels, or without labels against the network's own answers.

    Attributes:
        samples: how many samples are looked at. batch: samples whose effects are added before their size is taken.
        reduction: how the effects of coupled layers become one; "sum" is that of removing the unit from all of them.
    """

    samples: int = 256
    batch: int = 16
    reduction: str = "sum"
    name: str = "taylor"

    def __post_init__(self) -> None:
        at_least(self.name, 1, samples=self.samples, batch=self.batch)
        check_reduction(self.name, self.reduction)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> expected size of the change in loss, `[units]`."""
        few, values = samples(self.name, graph, data, self.samples), dict(graph.module.named_parameters())
        slices = {site: readers(group, values) for site, group in couple(graph).groups.items()}
        total = {site: torch.zeros(s.units, dtype=torch.float64) for site, s in slices.items()}
        for gradients, share in slopes(graph, few, self.batch):
            products = {name: values[name].detach() * g for name, g in gradients.items()}
            for site, found in slices.items():
                total[site] += share * reduced(found.totals(products.__getitem__), self.reduction)
        return finite(self.name, total)

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Parameter -> expected size of the change in loss without that weight, of its shape."""
        few, values = samples(self.name, graph, data, self.samples), layer_weights(graph)
        total = {name: torch.zeros_like(value) for name, value in values.items()}
        for gradients, share in slopes(graph, few, self.batch):
            for name, value in values.items():
                total[name] += share * (value * gradients[name]).abs()
        return finite(self.name, total)
