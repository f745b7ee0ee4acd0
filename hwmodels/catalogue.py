"""Every device and cost model there is: one line each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hwmodels.base import CostModel, HardwareModelError
from hwmodels.device import Device
from hwmodels.devices.accelerators import BITFUSION, EYERISS
from hwmodels.devices.boards import EDGE_TPU, JETSON
from hwmodels.devices.fpga import ZYNQ
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.devices.local_litert import LOCAL_LITERT
from hwmodels.devices.local_openvino import LOCAL_OPENVINO, LOCAL_OPENVINO_BF16
from hwmodels.devices.local_torch import LOCAL_INDUCTOR, LOCAL_ONNXRUNTIME_CUDA
from hwmodels.devices.microcontrollers import CORTEX_M4, CORTEX_M7
from hwmodels.devices.phones import PHONE_CPU, PHONE_GPU
from hwmodels.devices.servers import A100
from hwmodels.imported import ImportedModel
from hwmodels.lookup import LookupModel
from hwmodels.roofline import Roofline
from hwmodels.settings import split_settings, with_settings
from hwmodels.whole import WholeModel


class UnknownDevice(HardwareModelError):
    """There is no device of this name."""


class UnknownCostModel(HardwareModelError):
    """There is no cost model of this name."""


class NeedsTable(HardwareModelError):
    """The cost model works from measurements and can't be had by name alone."""


_DEVICES: tuple[Device, ...] = (
    LOCAL_ONNXRUNTIME,
    LOCAL_OPENVINO,
    LOCAL_OPENVINO_BF16,
    LOCAL_LITERT,
    LOCAL_INDUCTOR,
    LOCAL_ONNXRUNTIME_CUDA,
    CORTEX_M4,
    CORTEX_M7,
    PHONE_CPU,
    PHONE_GPU,
    JETSON,
    EDGE_TPU,
    EYERISS,
    BITFUSION,
    ZYNQ,
    A100,
)

_FROM_DATASHEETS: tuple[CostModel, ...] = (Roofline(),)

_FROM_TABLES: tuple[type[CostModel], ...] = (LookupModel, WholeModel, ImportedModel)

DEVICES: Mapping[str, Device] = {d.id: d for d in _DEVICES}

COST_MODELS: Mapping[str, type[CostModel]] = {
    **{m.name: type(m) for m in _FROM_DATASHEETS},
    **{m.name: m for m in _FROM_TABLES},
}


def device(id: str, own: Mapping[str, Device] = MappingProxyType({})) -> Device:
    """The device of this id, with the settings that it names (`local-onnxruntime@batch=8,threads=2`).

    `own` are devices beside the catalogue's. Raises UnknownDevice, naming the nearest ids and all there are, and
    BadSetting.
    """
    plain, settings = split_settings(id)
    known = {**DEVICES, **own}
    if plain not in known:
        raise UnknownDevice(_unknown("device", plain, known))
    return with_settings(known[plain], settings)


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
