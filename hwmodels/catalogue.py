"""Every device and cost model there is: one line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from hwmodels.base import CostModel, HardwareModelError
from hwmodels.device import Device
from hwmodels.devices.accelerators import EYERISS
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.devices.microcontrollers import CORTEX_M7
from hwmodels.lookup import LookupModel
from hwmodels.roofline import Roofline


class UnknownDevice(HardwareModelError):
    """There is no device of this name."""


class UnknownCostModel(HardwareModelError):
    """There is no cost model of this name."""


class NeedsTable(HardwareModelError):
    """The cost model works from measurements and can't be had by name alone."""


_DEVICES: tuple[Device, ...] = (
    LOCAL_ONNXRUNTIME,
    CORTEX_M7,
    EYERISS,
)

_FROM_DATASHEETS: tuple[CostModel, ...] = (Roofline(),)

_FROM_TABLES: tuple[type[CostModel], ...] = (LookupModel,)

DEVICES: Mapping[str, Device] = {d.id: d for d in _DEVICES}

COST_MODELS: Mapping[str, type[CostModel]] = {
    **{m.name: type(m) for m in _FROM_DATASHEETS},
    **{m.name: m for m in _FROM_TABLES},
}


def device(id: str) -> Device:
    """The device of this id. Raises UnknownDevice, naming the nearest ids and all there are."""
    if id not in DEVICES:
        raise UnknownDevice(_unknown("device", id, DEVICES))
    return DEVICES[id]


def cost_model(name: str) -> CostModel:
    """The cost model of this name, for devices that need no table.

    Raises UnknownCostModel, naming the nearest and all there are; NeedsTable for one that works from measurements.
    """
    if name not in COST_MODELS:
        raise UnknownCostModel(_unknown("cost model", name, COST_MODELS))
    for model in _FROM_DATASHEETS:
        if model.name == name:
            return model
    raise NeedsTable(f"cost model {name} works from a table of measurements: open it with the device's stored rows")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no {what} {name!r}{hint}; the choice is {', '.join(names)}"
