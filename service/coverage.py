"""Which operators of a stored model a device's table has, and which it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from db.base import Json
from hwmodels.coverage import coverage as found_in
from hwmodels.device import Device
from hwmodels.imported import ImportedModel
from hwmodels.lookup import LookupModel
from service.errors import Conflict
from service.hardware import choose, open_for
from service.workspace import Workspace


def coverage(workspace: Workspace, device: Device, path: Path) -> Json:
    """The operators of a model file that the device's newest table lacks, by name, and how many there are.

    Nothing is measured. Raises Conflict where the file is gone, GraphError, and HardwareModelError where the runtime
    isn't to be had.
    """
    if device.cost_model not in (LookupModel.name, ImportedModel.name):
        return {"device": device.id, "table": None, "operators": 0, "missing": [], "share": 1.0}
    if not path.is_file():
        raise Conflict("the model's file is gone from this service; upload it again")
    from methods.graph.load import load_graph
    from methods.graph.lower import lower
    from methods.graph.onnx_out.export import export

    place, graph = choose(workspace, device), load_graph(path)
    hardware = open_for(workspace, device, place)
    network = replace(lower(graph, device.batch), program=export(graph) if device.profiler else None)
    try:
        found = found_in(cast("LookupModel | ImportedModel", hardware.cost_model), network, device)
    finally:
        if hardware.profiler is not None:
            hardware.profiler.close()
    return {"device": device.id, "table": place.table} | found.to_json()
