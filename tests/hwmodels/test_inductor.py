"""torch's inductor as a runtime: one tiny network is compiled for all of these tests; that takes most of their time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hwmodels.base import Cost, MeasurementFailed, MissingRuntime, Source
from hwmodels.catalogue import device
from hwmodels.profilers.inductor import InductorProfiler
from hwmodels.profilers.installed import all_installed, installed
from hwmodels.profilers.process import Child
from hwmodels.workload import Workload
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.program import program_for
from search.devices import open_hardware

DEVICE = device("local-inductor")


def network(width: int = 16) -> Graph:
    """Two linear layers."""
    torch.manual_seed(width)
    model = nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 4))
    return capture(model, torch.zeros(1, 8))


def workload_of(graph: Graph) -> Workload:
    return replace(lower(graph), program=program_for(graph, DEVICE))


@dataclass
class Timed:
    """What one measurement on an empty table came to. `left` is what its process had in its folder."""

    cost: Cost
    rows: list[dict[str, Any]]
    folder: Path
    left: list[str]


@pytest.fixture(scope="module")
def timed() -> Timed:
    rows: list[dict[str, Any]] = []
    hardware = open_hardware("local-inductor", (), rows.append)
    cost = hardware.cost_model.estimate(workload_of(network()), DEVICE)
    assert isinstance(hardware.profiler, InductorProfiler)
    assert isinstance(hardware.profiler.channel, Child)
    running = hardware.profiler.channel._running
    assert running is not None
    folder = Path(running.folder)
    left = [str(path.relative_to(folder)) for path in folder.rglob("*.so")]
    hardware.profiler.close()
    return Timed(cost, rows, folder, left)


def test_a_compiled_network_is_measured(timed: Timed) -> None:
    """In seconds that a call of two small layers can take, with its source."""
    assert timed.cost["latency_s"].source is Source.MEASURED
    assert 1e-6 < timed.cost["latency_s"].value < 0.1
    assert {part.name for part in timed.cost.per_op} == {op.name for op in lower(network()).ops}


def test_a_stored_network_is_not_compiled_again(timed: Timed) -> None:
    """With its row stored, no process is started at all, also for other weights."""
    hardware = open_hardware("local-inductor", timed.rows)
    trained = network()
    trained.set_tensor("0.weight", torch.randn(16, 8))
    assert hardware.cost_model.estimate(workload_of(trained), DEVICE) == timed.cost
    assert isinstance(hardware.profiler, InductorProfiler)
    assert isinstance(hardware.profiler.channel, Child)
    assert hardware.profiler.channel.pid == 0


def test_what_the_compiler_writes_goes_with_the_process(timed: Timed) -> None:
    """Libraries lie in the process's own folder, and the folder is gone."""
    assert any(path.startswith("inductor/") for path in timed.left)
    assert not timed.folder.exists()


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started, with what to install; the runtime doesn't count as installed then."""
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingRuntime, match=r"no compiler 'no-such-compiler' here: install (g|clang)\+\+"):
        open_hardware("local-inductor")
    assert "inductor" not in all_installed()


def test_its_version_is_that_of_torch() -> None:
    """The build is part of it, and so of every table's key."""
    assert installed("inductor") == torch.__version__


def test_other_bytes_are_refused_and_nothing_in_them_is_run(tmp_path: Path) -> None:
    """Only programs of torch.export are read; the process answers and lives on."""
    profiler = InductorProfiler()
    with pytest.raises(MeasurementFailed, match=r"no program of torch.export"):
        profiler.measure([b"PK nothing"], DEVICE)
    assert isinstance(profiler.channel, Child)
    assert profiler.channel.pid > 0
    profiler.close()
