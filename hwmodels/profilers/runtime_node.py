"""RuntimeNode: one node of the graph that a runtime really executes, and the profiler that knows them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Protocol, Self

from hwmodels.base import Measurement, Profiler
from hwmodels.device import Device

SWEPT = " swept"
"""How the signature of a node ends that is timed with its weights swept out of the nearest caches."""


@dataclass(frozen=True)
class RuntimeNode:
    """One node after the runtime's own optimisation.

    Attributes:
        name: the activation of the original network that it computes, or the runtime's own name for it.
        op_type: the runtime's operator with its domain. signature: everything that its latency depends on, as text.
        model: the node alone as ONNX bytes; empty where it was not asked for.
    """

    name: str
    op_type: str
    signature: str
    model: bytes = b""

    @property
    def key(self) -> str:
        """Content hash of the signature: equal for nodes that take equally long, whatever they are called."""
        return key_of(self.signature)

    @property
    def is_swept(self) -> bool:
        """Whether other memory is read ahead of every call, so that weights come from behind the nearest caches."""
        return self.signature.endswith(SWEPT)

    def swept(self) -> Self:
        """The same node, to be timed so."""
        return replace(self, signature=self.signature + SWEPT)


def key_of(signature: str) -> str:
    """The key of the node with this signature."""
    return hashlib.sha256(signature.encode()).hexdigest()


class NodeProfiler(Profiler, Protocol):
    """A profiler whose runtime tells which nodes it makes of a network, and times each alone."""

    gauge_s: float
    """What a fixed piece of work takes while nothing disturbs, which tells quiet moments; 0 where not known yet."""

    call_s: float
    """What a call costs by the table that nodes are measured for; 0 where not known yet."""

    @property
    def version(self) -> str:
        """Version of the runtime."""

    def near_bytes(self, device: Device) -> int:
        """What a core's nearest caches hold; 0 where that isn't told."""

    def nodes(self, program: bytes, device: Device, known: Collection[str] = ()) -> list[RuntimeNode]:
        """The nodes that the runtime executes, in order; nodes with a key in `known` come without their model."""

    def measure_nodes(self, nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        """Times nodes alone, all interleaved; raises MeasurementFailed."""

    def measure_itself(self, device: Device) -> Measurement:
        """What one call costs before any node runs; `gauge_s` is known afterwards."""
