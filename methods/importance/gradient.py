"""Importance by slope alone: the mean size of the loss's gradient. What the loss pulls at is worth keeping, however
small it is by now; what training has left alone may go.

Reference: Karnin, "A simple procedure for pruning back-propagation trained neural networks", 1990, IEEE Transactions
on Neural Networks 1(2) (sensitivity from gradients); gradients among other criteria: Blalock et al., "What is the
state of neural network pruning?", 2020, arXiv 2003.03033.
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
from methods.importance.slices import Slices, check_reduction, reduced


@dataclass(frozen=True)
class Gradient:
    """The loss is cross-entropy against the labels, or without labels against the network's own answers.

    Attributes:
        samples: how many samples are looked at. batch: samples whose gradients are added before their size is taken.
        reduction: how the layers that make a channel become one; "sum" adds all their gradients' sizes.
    """

    samples: int = 256
    batch: int = 16
    reduction: str = "sum"
    name: str = "gradient"

    def __post_init__(self) -> None:
        at_least(self.name, 1, samples=self.samples, batch=self.batch)
        check_reduction(self.name, self.reduction)

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> summed size of the gradients of the weights that make a unit, `[units]`."""
        names = [name for name, _ in graph.module.named_parameters()]
        sizes = self._sizes(graph, data, names)
        makers = {site: Slices(group, ("out",), names) for site, group in couple(graph).groups.items()}
        return {site: reduced(s.totals(sizes.__getitem__), self.reduction) for site, s in makers.items()}

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Parameter -> mean size of the gradient, of its shape."""
        return self._sizes(graph, data, list(layer_weights(graph)))

    def _sizes(self, graph: Graph, data: Data, names: list[str]) -> dict[str, Tensor]:
        few = samples(self.name, graph, data, self.samples)
        total = {name: torch.zeros_like(graph.tensor(name).detach()) for name in names}
        for gradients, share in slopes(graph, few, self.batch):
            for name in names:
                total[name] += share * gradients[name].abs()
        return finite(self.name, total)
