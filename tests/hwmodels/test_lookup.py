from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from hwmodels.base import HardwareModelError, Measurement, MeasurementFailed, Source
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.lookup import MODEL_ERROR, LookupModel, open_lookup
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.sums import CALL, LEAST_SHARE
from hwmodels.table import GAUGE, OVERHEAD, BadTable
from hwmodels.workload import Workload
from tests.onnx_networks import conv_op, endless, row, workload


class Recording(OnnxRuntimeProfiler):
    """The real profiler, which also remembers what it was asked to measure."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def measure_nodes(self, nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        self.asked += [node.key for node in nodes]
        return super().measure_nodes(nodes, device)

    def measure_itself(self, device: Device) -> Measurement:
        self.asked += [OVERHEAD, GAUGE]
        return super().measure_itself(device)


@pytest.fixture(scope="module")
def profiler() -> Iterator[Recording]:
    profiler = Recording()
    yield profiler
    profiler.close()


@pytest.fixture(scope="module")
def rows(profiler: Recording) -> list[dict[str, Any]]:
    """What estimating one network on an empty table measures."""
    rows: list[dict[str, Any]] = []
    open_lookup(LOCAL_ONNXRUNTIME, profiler, (), rows.append).estimate(workload(), LOCAL_ONNXRUNTIME)
    return rows


def stored(profiler: Recording, rows: list[dict[str, Any]]) -> LookupModel:
    profiler.asked.clear()
    return open_lookup(LOCAL_ONNXRUNTIME, profiler, rows)


def test_only_missing_nodes_are_measured(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """With its rows stored a network costs no measurement; of a wider one only the nodes that differ are measured."""
    model = stored(profiler, rows)
    model.estimate(workload(), LOCAL_ONNXRUNTIME)
    assert profiler.asked == []
    model.estimate(workload(width=40), LOCAL_ONNXRUNTIME)
    assert profiler.asked
    assert not {r["key"] for r in rows} & set(profiler.asked)
    assert set(model.table.rows) == {r["key"] for r in rows} | set(profiler.asked)


def test_latency_is_the_sum_of_the_nodes(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """One call, and each node without the call that was timed with it; the parts add up to the total."""
    model = stored(profiler, rows)
    cost = model.estimate(workload(), LOCAL_ONNXRUNTIME)
    overhead = model.table.overhead.latency_s
    nodes = [m.latency_s for key, m in model.table.rows.items() if key not in (OVERHEAD, GAUGE)]
    shares = [max(LEAST_SHARE * timed, timed - overhead) for timed in nodes]
    assert cost["latency_s"].value == pytest.approx(overhead + sum(shares))
    assert sum(part.latency_s for part in cost.per_op) == pytest.approx(cost["latency_s"].value)
    assert cost["latency_s"].source is Source.LOOKED_UP


def test_time_goes_to_our_own_operators(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """Fused activations and layout changes count for the layer that they serve, under the user's names."""
    cost = stored(profiler, rows).estimate(workload(), LOCAL_ONNXRUNTIME)
    latency = {part.name: part.latency_s for part in cost.per_op}
    assert list(latency)[:4] == [CALL, "conv0", "pool", "gemm5"]
    assert latency["conv0"] > 0.0
    assert latency["gemm5"] > 0.0
    assert cost["macs"].value == workload().macs


def test_the_same_rows_give_the_same_cost(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """Rebuilt from stored rows, whatever else the table holds, the estimate is the same to the last bit."""
    first = stored(profiler, rows).estimate(workload(), LOCAL_ONNXRUNTIME)
    more = [*reversed(rows), row("something else", disagreement=0.5)]
    assert stored(profiler, more).estimate(workload(), LOCAL_ONNXRUNTIME) == first


@pytest.mark.parametrize(("disagreement", "error"), [(0.0, MODEL_ERROR), (0.2, 0.2)])
def test_noise_widens_the_error(
    profiler: Recording, rows: list[dict[str, Any]], disagreement: float, error: float
) -> None:
    """The error is the model's own, or how far the rows disagree where that is more."""
    model = stored(profiler, [r | {"disagreement": disagreement} for r in rows])
    assert model.estimate(workload(), LOCAL_ONNXRUNTIME)["latency_s"].error == pytest.approx(error)


def test_a_workload_without_program_is_refused(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """There is nothing to look up, and nothing is made up."""
    with pytest.raises(HardwareModelError, match="this workload has none"):
        stored(profiler, rows).estimate(replace(workload(), program=None), LOCAL_ONNXRUNTIME)


def test_what_cannot_be_measured_leaves_the_table_alone(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """A refusal names the node, and no row appears for it."""
    model = stored(profiler, rows)
    for program, said in ((endless(), "Loop"), (b"nothing", "refused")):
        with pytest.raises(HardwareModelError, match=said):
            model.estimate(Workload((), program=program), LOCAL_ONNXRUNTIME)
    assert set(model.table.rows) == {r["key"] for r in rows}
    assert issubclass(MeasurementFailed, HardwareModelError)


def test_tables_of_other_settings_are_refused(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """Rows for one thread say nothing about two, nor those of one machine about another."""
    model = stored(profiler, rows)
    with pytest.raises(BadTable, match="threads"):
        model.estimate(workload(), replace(LOCAL_ONNXRUNTIME, threads=2))
    model.table.header = replace(model.table.header, machine="another")
    with pytest.raises(BadTable, match="another"):
        LookupModel(model.table, profiler)


def test_single_operators_cost_after_learning(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """`op_cost` refuses before `learn`; afterwards a wider convolution never costs less."""
    model = stored(profiler, rows)
    with pytest.raises(HardwareModelError, match="call learn"):
        model.op_cost(conv_op("conv0", 8), LOCAL_ONNXRUNTIME)
    model.learn([workload(), workload(width=40)], LOCAL_ONNXRUNTIME)
    costs = [model.op_cost(conv_op("conv0", width), LOCAL_ONNXRUNTIME).latency_s for width in (8, 24, 40)]
    assert 0.0 < costs[0] <= costs[1] <= costs[2]


def test_no_node_takes_no_time(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """A call that was timed in noise, longer than any node, leaves each node something, and plans can be made."""
    longest = max(row["median_s"] for row in rows)
    times = {"latency_s": longest, "p10_s": longest, "median_s": longest}
    model = stored(profiler, [row | times if row["key"] == OVERHEAD else row for row in rows])
    assert model.estimate(workload(), LOCAL_ONNXRUNTIME)["latency_s"].value > longest
    model.learn([workload()], LOCAL_ONNXRUNTIME)
