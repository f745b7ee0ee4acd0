"""The device in a receipt: written so that a bundle can be checked where nobody knows that device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hwmodels.base import MissingRuntime
from hwmodels.catalogue import DEVICES
from hwmodels.catalogue import device as find_device
from hwmodels.datasheet import device_from_json, device_to_json
from hwmodels.device import Device
from search.devices import Hardware, open_hardware
from search.problem import SearchError

Document = dict[str, Any]


def device_entries(device: Device, prepared: Mapping[str, Any]) -> Document:
    """What a receipt says of the device: its id, its datasheet, and the table that latencies were looked up in."""
    entries: Document = {"device": device.id, "datasheet": device_to_json(replace(device, id=_plain(device.id)))}
    return entries | ({"table": prepared["table"]} if prepared.get("table") else {})


def device_of(receipt: Mapping[str, Any]) -> Device:
    """The device of a receipt: the catalogue's if it is measured there, else as its datasheet in the receipt has it.

    Raises SearchError where the receipt has none and the catalogue doesn't know it, HardwareModelError for a bad one.
    """
    id, datasheet = str(receipt["device"]), receipt.get("datasheet")
    known = _plain(id) in DEVICES
    if not datasheet and not known:
        raise SearchError(f"the receipt names the device {id}, which isn't known here, and has no datasheet of it")
    if not datasheet or (known and DEVICES[_plain(id)].kind != "analytical"):
        return find_device(id)
    return find_device(id, {_plain(id): device_from_json(datasheet)}) if not known else device_from_json(datasheet)


def hardware_of(device: Device) -> tuple[Hardware | None, str]:
    """A device opened, and None with the reason where figures can't be had again here."""
    if device.kind != "analytical" and _plain(device.id) not in DEVICES:
        return None, f"not measured again: {device.id} is reached through its service"
    try:
        return open_hardware(device), ""
    except MissingRuntime as error:
        return None, f"not measured again: {error}"


def _plain(id: str) -> str:
    return id.partition("@")[0]
