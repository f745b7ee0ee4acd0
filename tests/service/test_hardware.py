"""Devices are opened with the table that belongs to them, and a search keeps the one that it began with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from db import measurements
from hwmodels.catalogue import UnknownDevice
from hwmodels.settings import BadSetting
from hwmodels.workload import Workload
from methods.graph.load import load_graph
from methods.graph.lower import lower
from methods.graph.onnx_out.export import export
from service.hardware import Place, TableMoved, choose, find_device, open_for
from service.workspace import Workspace
from tests.service.helpers import row_of, tiny_fwm, toy_search, work

LOCAL = "local-onnxruntime"


def workload_of(folder: Path) -> Workload:
    """Two linear layers with their program."""
    graph = load_graph(tiny_fwm(folder))
    return replace(lower(graph), program=export(graph))


def rows_of(workspace: Workspace, place: Place) -> list[str]:
    with workspace.database.read() as session:
        return [row["key"] for row in measurements.of_table(session, place.table)]


def test_what_was_measured_is_not_measured_again(workspace: Workspace, tmp_path: Path) -> None:
    """Rows are kept as they are measured; the next one to open the table gets the same figure from them alone."""
    with workspace.database.read() as session:
        device = find_device(session, LOCAL)
    place, workload, kept = choose(workspace, device), workload_of(tmp_path), list[Session]()
    first = open_for(workspace, device, place, kept.append).cost_model.estimate(workload, device)["latency_s"]
    assert len(rows_of(workspace, place)) == len(kept) > 2
    second = open_for(workspace, device, place, kept.append).cost_model.estimate(workload, device)["latency_s"]
    assert (second, len(rows_of(workspace, place))) == (first, len(kept))


def test_the_newest_generation_is_chosen_and_the_first_one_kept(workspace: Workspace) -> None:
    """A new search takes the generation that was begun last; one that noted the first goes on with it."""
    with workspace.database.read() as session:
        device = find_device(session, LOCAL)
    first = choose(workspace, device)
    search_id = toy_search(workspace, device=LOCAL)
    work(workspace)
    prepared = row_of(workspace, search_id).prepared or {}
    assert Place.of(prepared) == first
    with workspace.database.write() as session:
        newest = measurements.newest(session, LOCAL)
        assert newest is not None
        measurements.begin(session, newest.table.next(), newest.created_at + 1.0)
        measurements.calibrate(session, newest.table.next().key, {"margin": 0.0})
        measurements.begin(session, newest.table.next().next(), newest.created_at + 2.0)  # not measured to its end yet
    assert choose(workspace, device) == Place(f"{first.table} | #2", calibrated=True)
    assert open_for(workspace, device, first).device is device


def test_settings_have_tables_of_their_own(workspace: Workspace) -> None:
    """Batch and threads are part of the key; an analytical device has no table whatever its batch."""
    with workspace.database.read() as session:
        batch, chip = (find_device(session, f"{id}@batch=8") for id in (LOCAL, "eyeriss-analytical"))
    assert choose(workspace, batch).table.startswith(f"{LOCAL}@batch=8 | onnxruntime ")
    assert choose(workspace, chip) == Place()
    assert open_for(workspace, chip, Place()).device.batch == 8


def test_another_machines_table_is_not_added_to(workspace: Workspace) -> None:
    """A search that began elsewhere, or with another runtime, is told so instead of mixing the two."""
    with workspace.database.read() as session:
        device = find_device(session, LOCAL)
    here = choose(workspace, device).table
    for other in (f"{here}x", f"{LOCAL} | onnxruntime 1.0 | elsewhere", f"{here} | #x"):
        with pytest.raises(TableMoved, match="figures of the two"):
            open_for(workspace, device, Place(other))


@pytest.mark.parametrize(
    ("id", "error"), [("toaster", UnknownDevice), (f"{LOCAL}@batch=0", BadSetting), (f"{LOCAL}@colour=1", BadSetting)]
)
def test_ids_that_name_nothing(workspace: Workspace, id: str, error: type[Exception]) -> None:
    """The message names what there is."""
    with workspace.database.read() as session, pytest.raises(error, match=r"batch|local-onnxruntime"):
        find_device(session, id)
