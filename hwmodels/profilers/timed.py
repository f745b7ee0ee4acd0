"""Timed: what every profiler does alike - programs go to the measuring process, measurements come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.channel import Channel, Reply
from hwmodels.profilers.process import Child

LARGE = 100_000_000
"""Bytes of programs from which on only one copy of each is opened."""
MOST_NEAR_BYTES = 2**30
COPIES = 3
"""Copies of a program that take turns: where buffers happen to lie changes a network's latency by up to 7 %, and a
single node's by up to 11 % (an EPYC of 2021; both repeat within 1 % once they lie somewhere)."""


class Timed:
    """Times whole networks on one runtime over a channel; a request may take `timeout_s`.

    The process at the other end stays between requests, so that a request costs milliseconds. `gauge_s` is the best
    time of a fixed piece of work: setting it to what another process saw lets this one know a quiet machine.
    """

    name: str

    def __init__(self, channel: Channel | None = None, timeout_s: float = 180.0) -> None:
        self.channel = channel or Child()
        self.timeout_s = timeout_s
        self.gauge_s = 0.0
        self.call_s = 0.0

    @property
    def version(self) -> str:
        """Version of the runtime. Raises MissingRuntime."""
        return self.channel.version(self.name)

    @property
    def machine(self) -> str:
        """The machine that is measured on."""
        return self.channel.machine

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """Times whole networks, all interleaved; raises MeasurementFailed."""
        return self._networks(programs, device, effort="networks", copies=copies_of(programs), meter=True)

    def glance(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """The same in about a second, with the error bar that this allows."""
        return self._networks(programs, device, effort="glance")

    def near_bytes(self, device: Device) -> int:
        """What a core's nearest caches hold there; 0 where that isn't told. Raises MeasurementFailed."""
        reply, _ = self._ask("about", device, [])
        told = reply.get("near_bytes")
        return told if isinstance(told, int) and 0 < told <= MOST_NEAR_BYTES else 0

    def close(self) -> None:
        """Ends the measuring process; the next request starts another."""
        self.channel.close()

    def _networks(self, programs: list[bytes], device: Device, **more: Any) -> list[Measurement]:
        labels = [f"network {n}" for n in range(len(programs))]
        return self._times(programs, device, labels=labels, **more) if programs else []

    def _gauge(self, device: Device) -> list[bytes]:
        """A program whose time tells quiet moments, where the usual one on one thread doesn't do."""
        del device
        return []

    def _times(self, programs: Sequence[bytes], device: Device, **more: Any) -> list[Measurement]:
        gauge = self._gauge(device)
        usual = {"copies": 1, "optimise": True, "gauge_s": self.gauge_s, "own_gauge": bool(gauge)}
        reply, _ = self._ask("time", device, [*gauge, *programs], **(usual | more))
        self.gauge_s = reply["gauge_s"]
        return [Measurement(**row) for row in reply["measurements"]]

    def _ask(self, action: str, device: Device, blobs: Sequence[bytes], **more: Any) -> Reply:
        header = {"action": action, "runtime": self.name} | settings_of(device) | more
        return self.channel.request(header, blobs, self.timeout_s)


def copies_of(programs: Sequence[bytes]) -> int:
    """How many copies of each program are opened."""
    return COPIES if sum(map(len, programs)) < LARGE else 1


def settings_of(device: Device) -> dict[str, Any]:
    """What the runtime is told beside the program."""
    return {"batch": device.batch, "threads": device.threads, "precision": device.precision}
