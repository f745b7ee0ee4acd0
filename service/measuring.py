"""What a profile job does with an opened device: measure its table and calibrate it, or check it for drift."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from db import measurements
from db.base import Json
from hwmodels.lookup import LookupModel
from hwmodels.profile import profile
from search.devices import Hardware
from service.drifting import look
from service.hardware import Place
from service.workspace import Workspace

OnProgress = Callable[[str, int, int], None]
"""Phase, how much of it is done, and of how much."""


def measure(workspace: Workspace, hardware: Hardware, table: str, request: Json, report: OnProgress) -> Json:
    """Times the calibration set and what its networks are made of; keeps the calibration with the table."""
    model = cast("LookupModel", hardware.cost_model)
    found = profile(model, hardware.device, report, networks=request.get("networks"))
    with workspace.database.write() as session:
        kept = measurements.calibrate(session, table, found.to_json())
    return {"calibration": {name: value for name, value in kept.items() if name not in ("factors", "unseen")}}


def check(workspace: Workspace, hardware: Hardware, place: Place, report: OnProgress) -> Json:
    """Times a few networks of the calibration again, and says whether the machine is what it was."""
    report("checking for drift", 0, 1)
    found = look(workspace, hardware.device, place, lambda: report("checking for drift", 0, 1))
    report("checking for drift", 1, 1)
    return {"drift": found.to_json()}
