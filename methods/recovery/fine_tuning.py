"""Fine-tuning: with the original network as teacher besides the labels, or ("plain") with the labels alone.

Codebooks, factors and quantised weights are trained as what they are; scales of quantisers stay fixed.

Reference: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015, arXiv 1503.02531; plain
fine-tuning as in Han et al., "Learning both weights and connections", 2015, arXiv 1506.02626.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.base import Data
from methods.graph.ir import Graph
from methods.recovery.losses_answers import answers
from methods.recovery.trained import TrainedRecovery
from methods.recovery.training import Loss, require


@dataclass(frozen=True)
class FineTuning(TrainedRecovery):
    """The student learns the teacher's softened answers, and the labels where there are any, both at full weight.

    Attributes:
        temperature: softens the teacher's answers.
    """

    temperature: float = 4.0
    name: str = "fine-tuning"

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        super().__post_init__()
        require("temperature", 0 < self.temperature < float("inf"), "a number above 0")

    def loss(self, graph: Graph, teacher: Graph, data: Data) -> Loss:  # noqa: ARG002
        """Both parts; without labels the teacher's answers alone."""
        return answers(teacher, data, 1.0, 1.0, self.temperature, logits=False)


@dataclass(frozen=True)
class PlainFineTuning(TrainedRecovery):
    """The labels alone. Where there are none, and for outputs beyond the first, the teacher's answers stand in."""

    name: str = "plain"

    def loss(self, graph: Graph, teacher: Graph, data: Data) -> Loss:  # noqa: ARG002
        """Cross-entropy, or mean square for values."""
        return answers(teacher, data, 0.0, 1.0, 1.0, logits=False)
