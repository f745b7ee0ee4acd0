"""Schedules: how a network gets to its forms. The protocols, and what the schedules share.

A schedule spends its recovery's epochs and adds none, so that schedules can be compared at equal numbers of steps.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor

from methods.base import Data, MethodError, Recovery
from methods.graph.ir import Graph
from methods.recovery.trained import TrainedRecovery


class Target(Protocol):
    """The forms that a network shall have in the end."""

    def apply(self, graph: Graph, progress: float = 1.0) -> Graph:
        """A new graph with the forms on. Below 1 those that can grow (masks) are as far as `progress` says, the others
        may be left out. `graph` may carry the forms of a lower progress, which are then replaced; what a mask has
        removed stays removed."""

    def project(self, graph: Graph) -> dict[str, Tensor]:
        """Parameter -> the nearest weight in its form's set, for every parameter that gets a form. Changes nothing."""


class Schedule(Protocol):
    """How a network gets to its forms. A frozen dataclass; its fields are its settings.

    `full_weights`: whether the weights stay full on the way, so that any form can be the end of it, factors too.
    """

    full_weights: ClassVar[bool]

    @property
    def name(self) -> str: ...

    @property
    def recovery(self) -> Recovery: ...

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """A new graph that has the target's forms; neither the given one nor the teacher changes. Raises MethodError
        for too few samples or settings that don't fit."""


def training_recovery(schedule: str, recovery: Recovery) -> TrainedRecovery:
    """The recovery as one that trains. Raises MethodError where it doesn't."""
    if not isinstance(recovery, TrainedRecovery):
        raise MethodError(
            f"the schedule {schedule!r} trains, which the recovery {recovery.name!r} doesn't; take fine-tuning, plain "
            "or distillation, or the schedule one-shot"
        )
    return recovery


def divided(epochs: int, share: float) -> tuple[int, int]:
    """Epochs on the way to the forms, and under them: at least one for each where there are two."""
    if epochs < 2:
        return 0, epochs
    first = min(max(1, round(epochs * share)), epochs - 1)
    return first, epochs - first
