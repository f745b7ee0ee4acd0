"""Opens a device for a search: its cost model, with the table that it fills, and what can time it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hwmodels.base import CostModel, Profiler
from hwmodels.catalogue import cost_model
from hwmodels.device import Device
from hwmodels.lookup import open_lookup
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler


def open_device(
    device: Device,
    measurements: Sequence[Mapping[str, Any]],
    on_measure: Callable[[dict[str, Any]], Mapping[str, Any] | None],
) -> tuple[CostModel, Profiler | None]:
    """The cost model of a device and, where it can be timed here, its profiler.

    `measurements` are the stored rows of its table; every new one is handed to `on_measure`, which may
    give back an earlier row of the same key that is to be used in its place.
    """
    if not device.profiler:
        return cost_model(device.cost_model), None
    profiler = OnnxRuntimeProfiler()
    return open_lookup(device, profiler, measurements, on_measure), profiler
