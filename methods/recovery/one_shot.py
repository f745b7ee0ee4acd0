"""One-shot: the forms are put on at once, and the network is recovered under them.

Reference: Han, Mao and Dally, "Deep compression", 2016, arXiv 1510.00149, section 3.3 (codebooks).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from methods.base import Data, Recovery
from methods.graph.ir import Graph
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.schedule import Target


@dataclass(frozen=True)
class OneShot:
    """The forms at once, then the recovery."""

    recovery: Recovery = field(default_factory=FineTuning)
    name: str = "one-shot"
    full_weights: ClassVar[bool] = False

    def reach(self, graph: Graph, teacher: Graph, data: Data, seed: int, target: Target) -> Graph:
        """The recovered graph under its forms."""
        return self.recovery.recover(target.apply(graph), teacher, data, seed)
