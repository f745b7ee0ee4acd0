"""The `onnxruntime` profiler: times networks and single nodes on this machine's CPU, in a child process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import version
from typing import Any

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.process import Child
from hwmodels.profilers.runtime_node import RuntimeNode

TOGETHER = 128
"""Single nodes that are timed interleaved at once: each holds a session and its weights open."""


class OnnxRuntimeProfiler:
    """onnxruntime on the CPU with the device's batch and threads; a request may take `timeout_s`.

    The child stays between requests, so that a request costs milliseconds; it ends with this object. `gauge_s` is the
    best time of a fixed piece of work: setting it to what another process saw lets this one know a quiet machine.
    """

    name = "onnxruntime"

    def __init__(self, timeout_s: float = 180.0) -> None:
        self.timeout_s = timeout_s
        self.gauge_s = 0.0
        self._child = Child("hwmodels.profilers.child")

    @property
    def version(self) -> str:
        """Version of the runtime."""
        return version("onnxruntime")

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """Times whole networks (ONNX bytes), all interleaved; raises MeasurementFailed."""
        labels = [f"network {n}" for n in range(len(programs))]
        return self._times("time networks", programs, device, labels=labels) if programs else []

    def glance(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """The same in about a second, with the error bar that this allows."""
        labels = [f"network {n}" for n in range(len(programs))]
        return self._times("glance", programs, device, labels=labels) if programs else []

    def measure_nodes(self, nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        """Times nodes alone, interleaved; raises MeasurementFailed. Call overhead is part of each."""
        found: list[Measurement] = []
        for start in range(0, len(nodes), TOGETHER):
            part = nodes[start : start + TOGETHER]
            labels = [node.signature for node in part]
            found += self._times("time nodes", [node.model for node in part], device, labels=labels)
        return found

    def measure_itself(self, device: Device) -> tuple[Measurement, Measurement]:
        """What one call costs before any node runs, and what the gauge's fixed work takes."""
        overhead, work = self._times("time itself", [], device)
        return overhead, work

    def nodes(self, program: bytes, device: Device, known: Collection[str] = ()) -> list[RuntimeNode]:
        """The nodes that onnxruntime executes for a network; those with a key in `known` come without their model."""
        header = {"action": "list nodes", "known": sorted(known)} | _settings(device)
        reply, models = self._child.request(header, [program], self.timeout_s)
        rows = zip(reply["nodes"], models, strict=True)
        return [RuntimeNode(row["name"], row["op_type"], row["signature"], model) for row, model in rows]

    def close(self) -> None:
        """Ends the child process; the next request starts another."""
        self._child.close()

    def _times(self, action: str, models: Sequence[bytes], device: Device, **more: Any) -> list[Measurement]:
        header = {"action": action, "gauge_s": self.gauge_s} | _settings(device) | more
        reply, _ = self._child.request(header, models, self.timeout_s)
        self.gauge_s = reply["gauge_s"]
        return [Measurement(**row) for row in reply["measurements"]]


def _settings(device: Device) -> dict[str, Any]:
    return {"batch": device.batch, "threads": device.threads}
