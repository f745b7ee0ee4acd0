"""Importance by curvature: how much the loss would rise, to second order, if a channel or a weight were gone.

Near a minimum the gradient vanishes on average, and what is left is half the curvature times the squared weight. The
curvature is taken from the spread of the gradient over samples (the diagonal of the empirical Fisher information). For
a channel the products of weight and gradient are added up first, then squared, which equals the squared sum of
activation times gradient over all positions.

Reference: Theis et al., "Faster gaze prediction with dense networks and Fisher pruning", 2018, arXiv 1801.05787;
Molchanov et al., "Importance estimation for neural network pruning", 2019, arXiv 1906.10771.
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
class Fisher:
    """The loss is cross-entropy against the labels, or without labels against the network's own answers.

    Attributes:
        samples: how many samples are looked at. batch: samples whose gradient is squared together; 1 is the Fisher
            information, more is faster and sees less of the spread.
        reduction: how the effects of coupled layers become one before they are squared.
    """

    samples: int = 128
    batch: int = 1
    reduction: str = "sum"
    name: str = "fisher"

    def __post_init__(self) -> None:
        at_least(self.name, 1, samples=self.samples, batch=self.batch)
        check_reduction(self.name, self.reduction)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> expected rise of the loss, `[units]`."""
        few, values = samples(self.name, graph, data, self.samples), dict(graph.module.named_parameters())
        slices = {site: readers(group, values) for site, group in couple(graph).groups.items()}
        total = {site: torch.zeros(s.units, dtype=torch.float64) for site, s in slices.items()}
        for gradients, share in slopes(graph, few, self.batch):
            products = {name: values[name].detach() * g for name, g in gradients.items()}
            for site, found in slices.items():
                total[site] += share / 2 * reduced(found.totals(products.__getitem__), self.reduction).square()
        return finite(self.name, total)

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Parameter -> expected rise of the loss without that weight, of its shape."""
        few, values = samples(self.name, graph, data, self.samples), layer_weights(graph)
        total = {name: torch.zeros_like(value) for name, value in values.items()}
        for gradients, share in slopes(graph, few, self.batch):
            for name, value in values.items():
                total[name] += share / 2 * (value * gradients[name]).square()
        return finite(self.name, total)
