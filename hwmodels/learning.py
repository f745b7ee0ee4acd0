"""Learner: a cost model whose single operators have a latency only once it was fitted to a few whole networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from hwmodels.base import CostModel
from hwmodels.device import Device
from hwmodels.fit import LatencyFit
from hwmodels.workload import Workload


@runtime_checkable
class Learner(CostModel, Protocol):
    """Measures whole networks and learns from them what an operator costs, for plans over thousands of recipes."""

    fit: LatencyFit | None

    def learn(self, workloads: Sequence[Workload], device: Device) -> LatencyFit:
        """Fits the latency of single operators to what these workloads cost; `op_cost` answers from then on."""
