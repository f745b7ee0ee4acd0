"""The `onnxruntime` profiler: times networks and single nodes on a CPU."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.networks.disturber import disturber
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.empty import CHAIN, call_overhead, empty, product
from hwmodels.profilers.nodes import runtime_nodes
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed import copies_of
from hwmodels.profilers.timed_nodes import TimedNodes

TOGETHER = 128
"""Single nodes that are timed interleaved at once: each holds a session and its weights open."""

GAUGE = 160
"""Rows and columns of the product that tells quiet moments of several threads: enough to be shared out among them."""


class OnnxRuntimeProfiler(TimedNodes):
    """onnxruntime on the CPU with the device's batch and threads."""

    name = "onnxruntime"

    def _alone(self, nodes: Sequence[RuntimeNode], device: Device, **more: Any) -> list[Measurement]:
        """A small network runs ahead of every call: one node over and over has its loops and memory predicted better
        than inside a network, by 1 us a call.
        """
        found: list[Measurement] = []
        for start in range(0, len(nodes), TOGETHER):
            part = nodes[start : start + TOGETHER]
            labels = [node.signature for node in part]
            models = [node.model for node in part]
            found += self._disturbed(models, device, effort="nodes", labels=labels, **more)
        return found

    def measure_itself(self, device: Device) -> Measurement:
        """What one call costs before any node runs."""
        chains, labels = [empty(1), empty(CHAIN)], ["an empty call", "a chain of empty nodes"]
        one, chain = self._disturbed(chains, device, effort="itself", labels=labels)
        return call_overhead(one, chain)

    def _gauge(self, device: Device) -> list[bytes]:
        """On several threads a moment is quiet only if it is so for all of them."""
        return [product(GAUGE)] if device.threads > 1 else []

    def _disturbed(self, programs: Sequence[bytes], device: Device, **more: Any) -> list[Measurement]:
        """Times with other work ahead of every call, as inside a network."""
        programs = [disturber(), *programs]
        return self._times(programs, device, optimise=False, disturb=True, copies=copies_of(programs), **more)

    def nodes(self, program: bytes, device: Device, known: Collection[str] = ()) -> list[RuntimeNode]:
        """The nodes that onnxruntime executes for a network; those with a key in `known` come without their model."""

        def look(what: str, of: bytes) -> Reply:
            return self._ask("look", device, [of], what=what)

        return runtime_nodes(program, look, device.threads, known)
