from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from hwmodels.base import Measurement
from hwmodels.basis import Basis
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.disturbed import Disturbed
from hwmodels.lookup import open_lookup
from hwmodels.networks.builder import Builder
from hwmodels.parts import constant_bytes
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed import settings_of
from hwmodels.sums import LEAST_SHARE, shares_s
from hwmodels.workload import Workload


@pytest.fixture(scope="module")
def profiler() -> Iterator[OnnxRuntimeProfiler]:
    profiler = OnnxRuntimeProfiler()
    yield profiler
    profiler.close()


def two_layers() -> Workload:
    """Two linear layers of 0.36 MB of weights each, and one of few."""
    b = Builder(0)
    x = b.op("Tanh", b.gemm(b.op("Relu", b.gemm("x", 300, 300)), 300, 300))
    return Workload((), program=b.model(b.gemm(x, 300, 10), (300,)))


def test_heavy_nodes_have_two_rows(profiler: OnnxRuntimeProfiler) -> None:
    """One as they are, and one with other memory read ahead of every call; light nodes have the first alone."""
    model = open_lookup(LOCAL_ONNXRUNTIME, profiler)
    nodes = model.look_up(two_layers(), LOCAL_ONNXRUNTIME)
    swept = {node.key: node.swept().key in model.table.rows for node in nodes}
    assert all(key in model.table.rows for key in swept)
    heavy = [node.key for node in nodes if "[300, 300]" in node.signature]
    assert [key for key, known in swept.items() if known] == list(dict.fromkeys(heavy))
    assert len(set(heavy)) == 2


def test_weights_beyond_the_nearest_caches_take_what_swept_rows_do(profiler: OnnxRuntimeProfiler) -> None:
    """Of nodes with such a row, to the extent that the network's weights exceed what these caches hold."""
    model = open_lookup(LOCAL_ONNXRUNTIME, profiler)
    nodes = model.look_up(two_layers(), LOCAL_ONNXRUNTIME)
    near, half, far = (shares_s(model.table, nodes, Basis(near_mb=size)) for size in (4.0, 0.73, 0.1))
    own = [model.table.rows[node.key].latency_s for node in nodes]
    swept = [model.table.rows[node.swept().key].latency_s for node in nodes[:2]]
    overhead = model.table.overhead.latency_s
    assert near == pytest.approx([max(LEAST_SHARE * s, s - overhead) for s in own])
    assert far[:2] == pytest.approx([max(LEAST_SHARE * s, s - overhead) for s in swept])
    assert far[2:] == pytest.approx(near[2:])
    share = constant_bytes(nodes) / 0.73e6 - 0.5
    assert half[0] == pytest.approx(near[0] + share * (far[0] - near[0]))
    del model.table.rows[nodes[0].swept().key]
    assert shares_s(model.table, nodes, Basis(near_mb=0.1))[0] == pytest.approx(near[0])


def test_weights_come_from_behind_the_caches(profiler: OnnxRuntimeProfiler) -> None:
    """A product that reads 0.36 MB of weights takes longer once these were swept out, however noisy the machine is."""
    node = next(n for n in profiler.nodes(two_layers().program or b"", LOCAL_ONNXRUNTIME) if "Gemm" in n.op_type)
    header = {
        "copies": 1,
        "optimise": False,
        "gauge_s": 0.0,
        "labels": ["x"],
        "effort": "nodes",
        "runtime": "onnxruntime",
    }
    seconds = []
    for sweep in (False, True) * 3:
        more = {"action": "time", "sweep": sweep} | settings_of(LOCAL_ONNXRUNTIME)
        reply, _ = profiler.channel.request(header | more, [node.model])
        seconds.append(reply["measurements"][0]["latency_s"])
    assert np.median(seconds[1::2]) > np.median(seconds[::2])


def test_a_swept_row_that_is_held_back_is_measured_again(
    profiler: OnnxRuntimeProfiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its node's own row is kept, it alone is timed once more."""
    asked: list[str] = []
    measure = profiler.measure_nodes

    def recorded(nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        asked.extend(node.key for node in nodes)
        return measure(nodes, device)

    model = open_lookup(LOCAL_ONNXRUNTIME, profiler)
    model.table.disturbed = Disturbed(1, later=True)
    twin = model.look_up(two_layers(), LOCAL_ONNXRUNTIME)[0].swept().key
    model.table.disturbed.held[twin] = (model.table.rows.pop(twin), 0)
    monkeypatch.setattr(profiler, "measure_nodes", recorded)
    model.look_up(two_layers(), LOCAL_ONNXRUNTIME)
    assert asked == [twin]
    assert twin in model.table.rows
