"""Importance by effect: how much the loss would change, to first order, if a channel were gone.

Removing a channel is the same as setting the weights that read it to zero, so the first term of the Taylor series is
the sum of weight times gradient over those weights. Its size is averaged over small batches, so that effects of
different samples don't cancel.

Reference: Molchanov et al., "Pruning convolutional neural networks for resource efficient inference", 2017,
arXiv 1611.06440, and "Importance estimation for neural network pruning", 2019, arXiv 1906.10771.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Data, MethodError
from methods.graph.coupling.groups import ChannelGroup
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.importance.slices import Slices
from methods.losses import answer_loss


@dataclass(frozen=True)
class Taylor:
    """The loss is cross-entropy against the labels, or without labels against the network's own answers."""

    samples: int = 256
    batch: int = 16
    name: str = "taylor"

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> expected size of the change in loss, `[units]`."""
        if not len(data):
            raise MethodError("the Taylor importance needs samples; give it some, or use the importance 'magnitude'")
        slices = {site: _readers(group) for site, group in couple(graph).groups.items()}
        total = {site: torch.zeros(s.units, dtype=torch.float64) for site, s in slices.items()}
        for products in self._products(graph, data.head(self.samples)):
            for site, readers in slices.items():
                total[site] += readers.sum(products.__getitem__).abs()
        return total

    def _products(self, graph: Graph, data: Data) -> Iterator[dict[str, Tensor]]:
        """Parameter name -> weight times gradient, for each batch."""
        twin = graph.clone()
        parameters = dict(twin.module.named_parameters())
        for start in range(0, len(data), self.batch):
            part = data.take(torch.arange(start, min(start + self.batch, len(data))))
            loss = answer_loss(twin(*part.inputs), part.labels)
            gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            pairs = zip(parameters.items(), gradients, strict=True)
            yield {n: torch.zeros_like(w) if g is None else w.detach() * g for (n, w), g in pairs}


def _readers(group: ChannelGroup) -> Slices:
    """The weights that read a unit; where none does (queries and keys read each other), those that make it."""
    readers = Slices(group, ("in",))
    return readers if readers.places else Slices(group, ("out",))
