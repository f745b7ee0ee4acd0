"""Under which key measurements of a device are kept."""

from __future__ import annotations

from importlib import metadata

from hwmodels.machine import machine_key

RUNTIME = "onnxruntime"


def device_key(device: str) -> str:
    """Device, runtime version and machine: measurements hold for all three together."""
    return f"{device} | {RUNTIME} {metadata.version(RUNTIME)} | {machine_key()}"
