"""LiteRT as a measured device: networks and operators timed in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hwmodels.base import MeasurementFailed, Source, UnsupportedOp
from hwmodels.catalogue import device
from hwmodels.drift import check_drift
from hwmodels.lookup import open_lookup
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.profile import profile
from hwmodels.profilers.catalogue import open_profiler
from hwmodels.profilers.litert import FILE, LiteRtProfiler, tiny
from hwmodels.profilers.process import Child
from hwmodels.profilers.runtimes.litert import open_interpreter
from hwmodels.workload import Workload

DEVICE = device("local-litert")


@pytest.fixture(scope="module")
def profiler() -> Iterator[LiteRtProfiler]:
    found = open_profiler(DEVICE)
    assert isinstance(found, LiteRtProfiler)
    yield found
    found.close()


def test_a_network_is_looked_up_by_its_operators(profiler: LiteRtProfiler) -> None:
    """Each measured once; a second estimate measures nothing and is the same."""
    model = open_lookup(DEVICE, profiler)
    workload = Workload((), program=int8(FAMILIES["residual"](0)))
    first = model.estimate(workload, DEVICE)
    rows = len(model.table.rows)
    assert model.estimate(workload, DEVICE) == first
    assert len(model.table.rows) == rows
    assert first["latency_s"].source is Source.LOOKED_UP
    assert first["latency_s"].value > model.table.overhead.latency_s > 0
    assert "CONV_2D int8" in {part.kind for part in first.per_op}


def test_networks_are_timed_from_their_onnx_form(profiler: LiteRtProfiler) -> None:
    """One measurement each, in order."""
    programs = [FAMILIES["mlp"](1), FAMILIES["transformer"](2)]
    found = profiler.glance(programs, DEVICE)
    assert [m.latency_s > 0 for m in found] == [True, True]
    with pytest.raises(UnsupportedOp, match="LSTM"):
        profiler.glance([FAMILIES["recurrent"](0)], DEVICE)


def test_what_it_cannot_run_is_left_out_of_a_profile(profiler: LiteRtProfiler) -> None:
    """A table is calibrated on the networks that can be written as tflite."""
    model = open_lookup(DEVICE, profiler)
    found = profile(model, DEVICE, networks=8, families=["mlp", "recurrent"])
    assert (found.networks, found.families) == (4, ("mlp",))
    assert check_drift(model, DEVICE).verdict in ("same", "busy", "changed", "other")


def test_settings_tell_nodes_apart(profiler: LiteRtProfiler) -> None:
    """Batch by the shapes, threads by name."""
    keys = [
        {node.key for node in profiler.nodes(FAMILIES["mlp"](1), device(f"local-litert@{settings}"))}
        for settings in ("threads=1", "threads=2", "batch=4")
    ]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]


def test_the_file_of_a_finalist_is_what_was_measured(profiler: LiteRtProfiler) -> None:
    """A tflite program for the device's batch, which the runtime opens."""
    files = profiler.artefacts(FAMILIES["plain"](0), device("local-litert@batch=2"))
    assert set(files) == {FILE}
    assert files[FILE][4:8] == b"TFL3"
    (given,) = open_interpreter(files[FILE], threads=1).get_input_details()
    assert list(given["shape"]) == [2, 32, 32, 3]


def test_a_broken_program_is_a_failed_measurement() -> None:
    """With what the runtime says of it, and the next request is served."""
    child = Child()
    usual = {"action": "time", "runtime": "litert", "threads": 1, "copies": 1, "gauge_s": 0.0}
    request = usual | {"labels": ["network"], "effort": "glance"}
    with pytest.raises(MeasurementFailed, match=r"(?i)runtime .*model"):
        child.request(request, [b"no program at all"])
    reply, _ = child.request(request, [tiny(1)])
    assert reply["measurements"][0]["calls"] > 0
    child.close()


def test_the_runtime_is_silent(profiler: LiteRtProfiler, capfd: pytest.CaptureFixture[str]) -> None:
    """What it says of its delegate stays in the measuring process."""
    profiler.glance([FAMILIES["mlp"](1)], DEVICE)
    assert capfd.readouterr() == ("", "")
