"""Whether a calibrated table still holds for its machine: looked at before every search, said, and made up for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import cast

from hwmodels.base import HardwareModelError
from hwmodels.datasheet import IMPORTED
from hwmodels.device import Device
from hwmodels.drift import Drift, check_drift
from hwmodels.lookup import LookupModel
from service.hardware import Place, choose, open_for
from service.workspace import Workspace

LOOKS, PAUSE_S = 3, 1.0
"""How often a machine that seems to have changed is looked at, and how long between: a passing disturbance is none."""


class Drifted(HardwareModelError):
    """The machine has changed by no one ratio: its table is of no use any more."""


def settle(workspace: Workspace, device: Device, check: Callable[[], None] = lambda: None) -> Place:
    """The newest table, with the ratio by which the machine has become slower or faster since it was calibrated.

    `check` may raise where nobody waits any more. Raises Drifted, and what choosing and measuring raise.
    """
    place = choose(workspace, device)
    if not place.calibrated or device.kind == IMPORTED or device.cost_model != LookupModel.name:
        return place
    found = look(workspace, device, place, check)
    if found.verdict == "other":
        raise Drifted(f"{found.words} with fitwright profile --device {device.id} --refresh")
    notes = () if found.verdict == "same" else (f"{device.id}: {found.words}",)
    return replace(place, ratio=found.scale, doubt=found.doubt, notes=notes)


def look(workspace: Workspace, device: Device, place: Place, check: Callable[[], None] = lambda: None) -> Drift:
    """Times a few networks of the table again, and where they differ, again."""
    hardware = open_for(workspace, device, place)
    model = cast("LookupModel", hardware.cost_model)
    try:
        found = check_drift(model, device)
        for _ in range(LOOKS - 1):
            if found.verdict == "same":
                break
            check()
            time.sleep(PAUSE_S)
            found = check_drift(model, device)
        return found
    finally:
        model.profiler.close()
