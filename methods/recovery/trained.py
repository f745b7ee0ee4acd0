"""Recoveries that train: all of them run the one loop, each with a loss of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from methods.base import Data
from methods.graph.ir import Graph
from methods.recovery.training import Extras, Loss, Training, check_samples, train


@dataclass(frozen=True)
class TrainedRecovery(Training, ABC):
    """A Recovery with the loop's settings. Schedules hook into its training by `trained`."""

    @abstractmethod
    def loss(self, graph: Graph, teacher: Graph, data: Data) -> Loss:
        """What the student is trained for. Raises MethodError for labels that don't fit the network."""

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:
        """A new, trained graph; the same for the same arguments, on one thread. Raises MethodError."""
        return self.trained(graph, teacher, data, seed, Extras())

    def trained(self, graph: Graph, teacher: Graph, data: Data, seed: int, extras: Extras) -> Graph:
        """`recover` with something added to the loop."""
        result = graph.clone()
        if self.epochs and any(p.requires_grad for p in result.module.parameters()):
            check_samples(data)
            train(result, data, self.loss(result, teacher, data), self, seed, extras)
        return result

    def lasting(self, epochs: int) -> Self:
        """The same recovery over so many epochs."""
        return replace(self, epochs=epochs)
