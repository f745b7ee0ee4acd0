"""Hardware: a device opened for use - its cost model, with the table that it fills, and what can time it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from hwmodels.base import CostModel, Profiler
from hwmodels.calibration import Calibration
from hwmodels.catalogue import cost_model
from hwmodels.catalogue import device as find_device
from hwmodels.device import Device
from hwmodels.imported import ImportedModel, open_imported
from hwmodels.lookup import open_lookup
from hwmodels.profilers.catalogue import open_profiler
from hwmodels.profilers.channel import Channel
from hwmodels.profilers.runtime_node import NodeProfiler
from hwmodels.whole import GaugedProfiler, WholeModel, open_whole

Row = Mapping[str, Any]
OnMeasure = Callable[[dict[str, Any]], Row | None]
"""Given each new measurement; may give back an earlier row of the same key that is to be used in its place."""


@dataclass(frozen=True)
class Hardware:
    """A device with what estimates its costs and, unless it is analytical, what times it."""

    device: Device
    cost_model: CostModel
    profiler: Profiler | None = None


def forget(row: Row) -> None:
    """Keeps no measurement."""
    del row


def open_hardware(
    device: Device | str,
    rows: Sequence[Row] = (),
    on_measure: OnMeasure = forget,
    channel: Channel | None = None,
    calibration: Mapping[str, Any] | None = None,
) -> Hardware:
    """A device of the catalogue (by its id) or one's own, with the stored rows of its table.

    `channel` leads to the process that measures; by default it is one of this machine. `calibration` is that of
    the table, as stored. Raises UnknownDevice, MissingRuntime, BadTable and BadCalibration.
    """
    found = find_device(device) if isinstance(device, str) else device
    kept = None if calibration is None else Calibration.from_json(calibration)
    if found.cost_model == ImportedModel.name:
        return Hardware(found, open_imported(found, rows, kept))
    if not found.profiler:
        return Hardware(found, cost_model(found.cost_model))
    profiler = open_profiler(found, channel)
    if found.cost_model == WholeModel.name:
        return Hardware(found, open_whole(found, cast("GaugedProfiler", profiler), rows, on_measure), profiler)
    return Hardware(found, open_lookup(found, cast("NodeProfiler", profiler), rows, on_measure, kept), profiler)
