"""Network slimming: training with a price on the scales of batch normalisations, so that many become (nearly) zero.

It comes before pruning: the importance "batch-norm-scale" then tells the channels that training has switched off from
those that it needs. The price must be high enough for as many scales to become zero as channels shall go. Between
layers only zero compares: a normalisation that follows makes up for the size of all scales before it, so a threshold
above zero can take a whole layer that is needed.

Reference: Liu et al., "Learning efficient convolutional networks through network slimming", 2017, arXiv 1708.06519,
section 3: the loss plus strength times the sum of |gamma|, minimised with subgradients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Data
from methods.graph.ir import Graph
from methods.importance.batch_norm_scale import scales_of
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.training import Extras, require


@dataclass(frozen=True)
class Slimming(FineTuning):
    """Fine-tuning with that price; the last weights are kept. Leaves networks without such scales as they are.

    Attributes:
        strength: the price of one unit of |gamma|, in the loss's own units (nats for classes). How far scales shrink
            goes with strength, learning rate and number of steps: few samples need more of it.
    """

    epochs: int = 10
    learning_rate: float = 0.05
    optimiser: str = "sgd"
    clip: float = 5.0
    strength: float = 0.03
    name: str = "slimming"

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        super().__post_init__()
        require("strength", 0 <= self.strength < float("inf"), "0 or more")

    def trained(self, graph: Graph, teacher: Graph, data: Data, seed: int, extras: Extras) -> Graph:
        """As in fine-tuning, with the price added to every step."""
        scales = scales_of(graph)
        if not scales:
            return graph.clone()

        def price(student: Graph, epoch: int) -> Tensor:  # noqa: ARG001
            return self.strength * scale_sum(student, scales)

        return super().trained(
            graph, teacher, data, seed, replace(extras, terms=(*extras.terms, price), keep_last=True)
        )


def scale_sum(graph: Graph, scales: list[str]) -> Tensor:
    """The sum of |gamma| over those parameters; its subgradient is the sign, and 0 at 0."""
    return torch.stack([graph.tensor(name).abs().sum() for name in scales]).sum()
