"""Every runtime that can be measured: one line each. A profiler is imported when its device is opened."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from hwmodels.base import HardwareModelError, Profiler
from hwmodels.device import Device
from hwmodels.profilers.channel import Channel

PROFILERS: Mapping[str, str] = {
    "onnxruntime": "hwmodels.profilers.onnxruntime:OnnxRuntimeProfiler",
    "onnxruntime-cuda": "hwmodels.profilers.onnxruntime_cuda:OnnxRuntimeCudaProfiler",
    "inductor": "hwmodels.profilers.inductor:InductorProfiler",
    "litert": "hwmodels.profilers.litert:LiteRtProfiler",
    "openvino": "hwmodels.profilers.openvino:OpenVinoProfiler",
}


def open_profiler(device: Device, channel: Channel | None = None) -> Profiler:
    """The profiler of a device, over a channel (by default: a process of this machine).

    Raises MissingRuntime where the runtime isn't at the channel's other end, HardwareModelError for a device that
    nothing can time.
    """
    if device.profiler not in PROFILERS:
        raise HardwareModelError(
            f"{device.id} can't be timed: its profiler {device.profiler!r} is not one of {', '.join(PROFILERS)}"
        )
    module, _, name = PROFILERS[device.profiler].partition(":")
    profiler: Profiler = getattr(importlib.import_module(module), name)(channel)
    _ = profiler.version
    return profiler
