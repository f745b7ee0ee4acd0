"""TimedNodes: what profilers do alike whose runtime tells its nodes - each alone, and swept where that is asked for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed import Timed


class TimedNodes(Timed, ABC):
    """Times single nodes too."""

    def measure_nodes(self, nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        """Times nodes alone, interleaved; raises MeasurementFailed. Call overhead is part of each."""
        found: dict[str, Measurement] = {}
        for sweep in (False, True):
            part = [node for node in nodes if node.is_swept == sweep]
            found |= zip((node.key for node in part), self._alone(part, device, sweep=sweep))
        return [found[node.key] for node in nodes]

    @abstractmethod
    def _alone(self, nodes: Sequence[RuntimeNode], device: Device, **more: Any) -> list[Measurement]:
        """Times nodes alone; `more` goes with the request."""
