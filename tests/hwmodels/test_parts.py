from __future__ import annotations

import pytest

from hwmodels.calibrating import Sample, fit
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.networks.disturber import disturber
from hwmodels.parts import BEYOND, beyond, is_heavy, part_of
from hwmodels.profilers.gauge import Gauge
from hwmodels.profilers.process import Child
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.timed import settings_of
from hwmodels.profilers.timing import Effort, measure_interleaved


def gemm(rows: int, given: int = 1000, made: int = 1000) -> RuntimeNode:
    signature = f"Gemm(float32[{rows}, {given}], const float32[{made}, {given}], const float32[{made}]) -> float32[]"
    return RuntimeNode("gemm", "Gemm", signature)


def test_a_product_of_few_rows_is_a_part_of_its_own() -> None:
    """One that is bound by reading its matrix isn't stretched like one that is bound by arithmetic."""
    assert [part_of(gemm(rows)) for rows in (1, 16, 17)] == ["Gemm of few rows"] * 2 + ["Gemm"]
    assert part_of(RuntimeNode("x", "Softmax", "Softmax(float32[1, 8])")) == "Softmax"


def test_weights_that_together_exceed_a_cache_are_missed() -> None:
    """Two nodes of 1.252 MB that take 3 us longer when swept: of near caches the share that both together miss of that,
    of far ones what they miss of both together, less what they miss of each alone, at the nominal rate."""
    found = beyond([gemm(1, given=312)] * 2, lambda _: 3e-6)
    near = {0.5: 6e-6, 1: 6e-6, 2: 6e-6 * 0.752}
    far = {4: 2.504e6 * 1e-11 * 0.126}
    assert found == {f"{BEYOND}{size:g} MB": pytest.approx(seconds) for size, seconds in (near | far).items()}


def test_weights_that_a_cache_holds_are_not() -> None:
    """A small network has no such part; neither has one large node, which misses as much alone and when swept."""
    assert beyond([gemm(1, given=40)], lambda _: 1e-6) == {}
    assert beyond([gemm(1, given=20_000)], lambda _: 0.0) == {}


def test_light_nodes_are_not_swept() -> None:
    """What has few weights is not asked how much longer it takes."""
    assert not is_heavy(gemm(1, given=7))
    assert is_heavy(gemm(1, given=9))
    assert beyond([gemm(1, given=7)] * 1000, lambda _: 1e-6) == {
        f"{BEYOND}{size} MB": pytest.approx(32e6 * 1e-11 * share)
        for size, share in {4: 1.0, 8: 1.0, 16: 1.0, 32: 0.5}.items()
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
