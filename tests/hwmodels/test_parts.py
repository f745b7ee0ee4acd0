from __future__ import annotations

import pytest

from hwmodels.calibrating import Sample, fit
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.networks.disturber import disturber
from hwmodels.parts import BEYOND, beyond, constant_bytes, is_heavy, missed, part_of
from hwmodels.profilers.gauge import Gauge
from hwmodels.profilers.process import Child
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed import settings_of
from hwmodels.profilers.timing import Effort, measure_interleaved


def gemm(rows: int, given: int = 1000, made: int = 1000) -> RuntimeNode:
    signature = f"Gemm(float32[{rows}, {given}], const float32[{made}, {given}], const float32[{made}]) -> float32[]"
    return RuntimeNode("gemm", "Gemm", signature)


def test_a_product_of_few_rows_is_a_part_of_its_own() -> None:
    """One that is bound by reading its matrix isn't stretched like one that is bound by arithmetic; nor is one of a
    single row like one of several."""
    assert [part_of(gemm(rows)) for rows in (1, 2, 16, 17)] == ["Gemm of one row", *["Gemm of few rows"] * 2, "Gemm"]
    assert part_of(RuntimeNode("x", "Softmax", "Softmax(float32[1, 8])")) == "Softmax"


def test_weights_that_together_exceed_a_cache_are_missed() -> None:
    """Two nodes of 1.252 MB miss all of a cache of 1 MB and three quarters of one of 2; of one of 4 MB they miss an
    eighth together, which counts in bytes for larger ones alone."""
    both = constant_bytes([gemm(1, given=312)] * 2)
    assert [missed(both, size) for size in (1.0, 2.0, 4.0, 8.0)] == pytest.approx([1.0, 0.752, 0.126, 0.0])
    assert beyond([gemm(1, given=312)] * 2) == {}
    assert beyond([gemm(1, given=312)] * 8) == {
        f"{BEYOND}{size} MB": pytest.approx(10.016e6 * 1e-11 * share) for size, share in {8: 0.752, 16: 0.126}.items()
    }


def test_weights_that_a_cache_holds_are_not() -> None:
    """A small network has no such part; neither has one large node, which misses as much alone."""
    assert beyond([gemm(1, given=40)]) == {}
    assert beyond([gemm(1, given=20_000)]) == {}


def test_light_nodes_are_not_swept() -> None:
    """What has few weights is not asked what it takes with them elsewhere; many of them still exceed a cache."""
    assert not is_heavy(gemm(1, given=7))
    assert is_heavy(gemm(1, given=9))
    assert beyond([gemm(1, given=7)] * 1000) == {
        f"{BEYOND}{size} MB": pytest.approx(32e6 * 1e-11 * share) for size, share in {8: 1.0, 16: 1.0, 32: 0.5}.items()
    }


def test_memory_that_suffices_costs_nothing() -> None:
    """A part for large weights gets a factor only where networks show one, and none where no network had it."""
    far = f"{BEYOND}8 MB"
    flat = [Sample("one", {"Gemm": 1e-3 * n, far: 1e-4 * n * n}, 1e-3 * n) for n in range(1, 8)]
    steep = [Sample("one", {"Gemm": 1e-3 * n, far: 1e-4 * n * n}, 1e-3 * n + 2e-4 * n * n) for n in range(1, 8)]
    assert fit(flat).factors[far] == pytest.approx(0.0, abs=0.02)
    assert fit(steep).factors[far] == pytest.approx(2.0, rel=0.05)
    assert fit(flat).factor(f"{BEYOND}16 MB") == 0.0


def test_what_runs_ahead_is_not_timed() -> None:
    """Other work goes ahead of every timed call, and leaves the time of the call alone."""
    order: list[str] = []
    measure_interleaved([[lambda: order.append("item")]], Gauge(lambda: None), Effort(), lambda: order.append("other"))
    timed = order[order.index("other") :]
    assert timed == ["other", "item"] * (len(timed) // 2)
    assert len(timed) > 10


def test_the_child_disturbs_what_it_times() -> None:
    """The first program of such a request isn't measured itself."""
    child = Child()
    usual = {"runtime": "onnxruntime", "copies": 1, "optimise": False, "gauge_s": 0.0}
    header = {"action": "time", "effort": "glance", "labels": ["one"], "disturb": True} | usual
    reply, _ = child.request(header | settings_of(LOCAL_ONNXRUNTIME), [disturber(), disturber()])
    child.close()
    assert len(reply["measurements"]) == 1
