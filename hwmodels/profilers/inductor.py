"""The `inductor` profiler: times networks that torch.compile made C++ of. Its runtime tells no nodes."""

from __future__ import annotations

from hwmodels.base import Measurement
from hwmodels.device import Device
from hwmodels.profilers.channel import Channel
from hwmodels.profilers.timed import Timed

TIMEOUT_S = 900.0
"""The first compilation of a process takes 10 to 20 s (it precompiles headers), others about a second per kernel."""


class InductorProfiler(Timed):
    """torch's inductor on the CPU with the device's batch and threads; one copy of each network, for compiling costs
    more than measuring."""

    name = "inductor"

    def __init__(self, channel: Channel | None = None, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(channel, timeout_s)

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        """Times whole networks, all interleaved; raises MeasurementFailed."""
        return self._networks(programs, device, effort="networks", meter=True)
