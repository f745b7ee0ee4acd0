"""Settings of a measured device in its name: `local-onnxruntime@batch=8,threads=2`.

Every figure holds for the settings that it was taken with, so they are part of the device's id and of every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hwmodels.base import HardwareModelError
from hwmodels.device import Device

MOST: Mapping[str, int] = {"batch": 4096, "threads": 256}
"""Settings that a name may give, and the largest value of each."""


class BadSetting(HardwareModelError):
    """A device can't be had with this setting."""


def split_settings(id: str) -> tuple[str, dict[str, int]]:
    """The plain id and its settings. Raises BadSetting for what isn't `name=whole number`, unknown, or given twice."""
    plain, _, text = id.partition("@")
    found: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        if name not in MOST or name in found:
            raise BadSetting(f"{id}: {part!r} is no setting; a device takes {' and '.join(MOST)}, each once")
        if not value.isdecimal() or not 1 <= int(value) <= MOST[name]:
            raise BadSetting(f"{id}: {name} is a whole number from 1 to {MOST[name]}, not {value!r}")
        found[name] = int(value)
    return plain, found


def with_settings(device: Device, settings: Mapping[str, int]) -> Device:
    """The device with other settings; its id names those that differ from the device's own.

    Raises BadSetting for threads on an analytical device, whose datasheet says what it runs on.
    """
    if device.kind == "analytical" and settings.get("threads", device.threads) != device.threads:
        raise BadSetting(f"{device.id} is analytical: its datasheet holds for {device.threads} thread(s), no others")
    other = {name: value for name, value in sorted(settings.items()) if value != getattr(device, name)}
    if not other:
        return device
    words = ",".join(f"{name}={value}" for name, value in other.items())
    batch, threads = other.get("batch", device.batch), other.get("threads", device.threads)
    title = f"{device.title}; with {words.replace(',', ', ').replace('=', ' ')}"
    return replace(device, id=f"{device.id}@{words}", title=title, batch=batch, threads=threads)
