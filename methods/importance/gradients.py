"""The gradient of the loss, batch by batch: what importances by effect look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from methods.base import Data
from methods.graph.ir import Graph
from methods.losses import answer_loss


class Slopes(NamedTuple):
    """The slopes of the mean loss of a batch: parameter name -> gradient of its shape, and the batch's share."""

    gradients: dict[str, Tensor]
    share: float


def slopes(graph: Graph, data: Data, batch: int) -> Iterator[Slopes]:
    """Goes through all samples once. Parameters that the loss doesn't depend on have gradient zero.

    The loss is `answer_loss`: against the labels, or without labels against the network's own answers. Raises
    MethodError for labels that don't fit the outputs.
    """
    twin = graph.clone()
    twin.set_training(False)
    parameters = dict(twin.module.named_parameters())
    for start in range(0, len(data), batch):
        part = data.take(torch.arange(start, min(start + batch, len(data))))
        with torch.enable_grad():
            outputs = twin(*part.inputs)
            found = torch.autograd.grad(answer_loss(outputs, part.labels), [*parameters.values()], allow_unused=True)
        pairs = zip(parameters.items(), found, strict=True)
        yield Slopes({n: torch.zeros_like(w) if g is None else g for (n, w), g in pairs}, len(part) / len(data))
