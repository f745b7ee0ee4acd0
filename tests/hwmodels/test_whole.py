"""Whole networks, measured once and kept by their structure; the real runtime measures them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hwmodels.base import HardwareModelError, Measurement, Source, UnsupportedOp
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.learning import Learner
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.table import GAUGE, BadTable
from hwmodels.whole import PREFIX, REPEATS, WholeModel, open_whole
from hwmodels.workload import Workload
from tests.onnx_networks import conv_op, convolutional, linear_op, workload

DEVICE = replace(LOCAL_ONNXRUNTIME, id="whole", cost_model="whole")


class Recording(OnnxRuntimeProfiler):
    """The real profiler with a short look at each network, which also counts what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        self.asked += len(programs)
        return self.glance(programs, device)


@pytest.fixture(scope="module")
def profiler() -> Iterator[Recording]:
    profiler = Recording()
    yield profiler
    profiler.close()


@pytest.fixture(scope="module")
def rows(profiler: Recording) -> list[dict[str, Any]]:
    """What estimating one network on an empty table measures."""
    rows: list[dict[str, Any]] = []
    open_whole(DEVICE, profiler, (), rows.append).estimate(workload(), DEVICE)
    return rows


def stored(profiler: Recording, rows: list[dict[str, Any]]) -> WholeModel:
    profiler.asked = 0
    return open_whole(DEVICE, profiler, rows)


def test_a_network_is_measured_once(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """The same figure again, from the stored row, also for other weights; other widths are another network."""
    model = stored(profiler, rows)
    first, second = (model.estimate(workload(), DEVICE) for _ in range(2))
    assert first == second
    trained = replace(workload(), program=convolutional(8, prefix="trained.", seed=3))
    assert model.estimate(trained, DEVICE)["latency_s"] == first["latency_s"]
    assert profiler.asked == 0
    model.estimate(workload(width=24), DEVICE)
    assert profiler.asked == 1
    assert len([key for key in model.table.rows if key.startswith(PREFIX)]) == 2


def test_the_row_says_what_was_measured(rows: list[dict[str, Any]]) -> None:
    """A line for people, and the gauge's best time, by which later processes know a quiet machine."""
    network, gauge = rows
    assert network["key"].startswith(PREFIX)
    assert "1 Conv" in network["signature"]
    assert gauge["key"] == GAUGE


def test_the_figure_is_measured_and_shared_out(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """Its source says so; operators get parts of it, which are a model's and add up to it."""
    cost = stored(profiler, rows).estimate(workload(), DEVICE)
    assert cost["latency_s"].source is Source.MEASURED
    assert cost["latency_s"].error >= REPEATS
    assert sum(part.latency_s for part in cost.per_op) == pytest.approx(cost["latency_s"].value)
    assert {part.source for part in cost.per_op} == {Source.MODELLED}
    assert cost["macs"].value == workload().macs


@pytest.mark.parametrize(("energy_j", "source"), [(0.0, Source.MODELLED), (2e-3, Source.MEASURED)])
def test_energy_is_measured_where_it_was_metered(
    profiler: Recording, rows: list[dict[str, Any]], energy_j: float, source: Source
) -> None:
    """A row without joules, or an older one without the field, leaves energy to the model, under its name."""
    model = stored(profiler, [row | {"energy_j": energy_j} for row in rows])
    energy = model.estimate(workload(), DEVICE)["energy_j"]
    assert energy.source is source
    assert energy.value > 0.0
    assert (energy.value == energy_j) == (source is Source.MEASURED)


def test_noise_widens_the_error(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """A measurement whose halves disagree says so."""
    model = stored(profiler, [row | {"disagreement": 0.4} for row in rows])
    assert model.estimate(workload(), DEVICE)["latency_s"].error == 0.4


def test_single_operators_cost_after_learning(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """It is a Learner; `op_cost` refuses before `learn`, and afterwards a wider convolution never costs less."""
    model = stored(profiler, rows)
    assert isinstance(model, Learner)
    with pytest.raises(HardwareModelError, match="call learn"):
        model.op_cost(conv_op("conv0", 8), DEVICE)
    model.learn([workload(), workload(width=40)], DEVICE)
    costs = [model.op_cost(conv_op("conv0", width), DEVICE).latency_s for width in (8, 24, 40)]
    assert 0.0 < costs[0] <= costs[1] <= costs[2]


def test_what_the_device_lacks_is_refused_before_anything_is_timed(profiler: Recording) -> None:
    """An operator in integers on a device of floats is named; so is a workload without program."""
    floats = replace(DEVICE, macs_per_s={"fp32": 1e9}, mac_energy_j={"fp32": 1e-12})
    model = stored(profiler, [])
    small = Workload((conv_op("conv0", 8, bits=8), linear_op("gemm5", 8, "conv0")), program=convolutional())
    with pytest.raises(UnsupportedOp, match=r"conv0 .*int8.*whole.*fp32"):
        model.estimate(small, floats)
    with pytest.raises(HardwareModelError, match="this workload has none"):
        model.estimate(replace(workload(), program=None), DEVICE)
    assert (profiler.asked, model.table.rows) == (0, {})


def test_tables_of_other_settings_are_refused(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """Rows for one thread say nothing about two, nor those of one machine about another."""
    model = stored(profiler, rows)
    with pytest.raises(BadTable, match="threads"):
        model.estimate(workload(), replace(DEVICE, threads=2))
    model.table.header = replace(model.table.header, machine="another")
    with pytest.raises(BadTable, match="another"):
        WholeModel(model.table, profiler)
