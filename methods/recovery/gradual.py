"""Gradual: the forms come on in rounds, with training in between, fast at first and slowly towards the end.

Reference: Zhu and Gupta, "To prune, or not to prune", 2017, arXiv 1710.01878, section 3 (the cubic curve); rounds of
pruning and retraining as in Han et al., "Learning both weights and connections", 2015, arXiv 1506.02626.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from methods.base import Data, Recovery
from methods.graph.ir import Graph
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.schedule import Target, divided
from methods.recovery.trained import TrainedRecovery
from methods.recovery.training import require

CURVES = ("cubic", "linear")


@dataclass(frozen=True)
class Gradual:
    """In each round the forms go a step further and the network is recovered; what is removed never comes back.

    Attributes:
        recovery: its epochs are shared out among the rounds; the last round, with the forms complete, gets the most.
        rounds: at most so many, each of at least one epoch. share: of the epochs, for all rounds but the last.
        curve: "cubic", progress `1 - (1 - round / rounds)^3`, or "linear".
    """

    recovery: Recovery = field(default_factory=FineTuning)
    rounds: int = 4
    share: float = 0.6
    curve: str = "cubic"
    name: str = "gradual"
    full_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Raises MethodError for a setting that can't be."""
        require("rounds", self.rounds >= 1, "at least 1")
        require("share", 0 < self.share < 1, "between 0 and 1")
        require("curve", self.curve in CURVES, f"one of {', '.join(CURVES)}")

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """The graph after the last round."""
        recoveries = self._recoveries()
        for number, recovery in enumerate(recoveries, 1):
            formed = target.apply(graph, self.progress(number, len(recoveries)))
            graph = recovery.recover(formed, teacher, data, seed + number)
        return graph

    def progress(self, number: int, rounds: int) -> float:
        """How far the forms are in a round, counted from 1: it ends at exactly 1."""
        done = number / rounds
        return done if self.curve == "linear" else 1 - (1 - done) ** 3

    def _recoveries(self) -> list[Recovery]:
        """One for each round."""
        if not isinstance(self.recovery, TrainedRecovery):
            return [self.recovery] * self.rounds
        before, last = divided(self.recovery.epochs, self.share)
        rounds = min(self.rounds - 1, before)
        each, rest = divmod(before, rounds) if rounds else (0, before)
        return [*[self.recovery.lasting(each)] * rounds, self.recovery.lasting(last + rest)]
