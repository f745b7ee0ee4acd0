from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from hwmodels.base import HardwareModelError, Measurement
from hwmodels.calibration import Calibration
from hwmodels.coverage import coverage
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.drift import check_drift
from hwmodels.lookup import LookupModel, open_lookup
from hwmodels.machine import near_bytes
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.parts import USUAL_MB
from hwmodels.profile import calibration_set, profile
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.sums import parts_of
from hwmodels.table import GAUGE
from hwmodels.whole import PREFIX
from hwmodels.workload import Workload
from search.devices import open_hardware

FEW: dict[str, Any] = {"networks": 6, "families": ["mlp", "recurrent"]}


class Recording(OnnxRuntimeProfiler):
    """The real profiler, which remembers what it is asked to time."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[bytes] = set()

    def measure(self, programs: list[bytes], device: Device) -> list[Measurement]:
        self.asked |= set(programs)
        return super().measure(programs, device)

    def measure_nodes(self, nodes: list[RuntimeNode], device: Device) -> list[Measurement]:
        self.asked |= {node.model for node in nodes}
        return super().measure_nodes(nodes, device)


@pytest.fixture(scope="module")
def profiler() -> Iterator[Recording]:
    profiler = Recording()
    yield profiler
    profiler.close()


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return []


@pytest.fixture(scope="module")
def calibration(profiler: Recording, rows: list[dict[str, Any]]) -> Calibration:
    """What profiling an empty table with a few networks finds; `rows` receives what it measured."""
    return profile(open_lookup(LOCAL_ONNXRUNTIME, profiler, (), rows.append), LOCAL_ONNXRUNTIME, **FEW)


def opened(profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration | None = None) -> LookupModel:
    profiler.asked.clear()
    return open_lookup(LOCAL_ONNXRUNTIME, profiler, rows, None, calibration)


def test_a_second_profile_measures_nothing(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """With its rows stored, networks included, the same calibration comes out without a measurement."""
    told: list[tuple[str, int, int]] = []
    model = opened(profiler, rows)
    again = profile(model, LOCAL_ONNXRUNTIME, lambda *what: told.append(what), **FEW)
    assert replace(again, created="") == replace(calibration, created="")
    assert not profiler.asked
    assert (told[0], told[-1]) == (("measuring networks", 0, 6), ("measuring networks", 6, 6))
    assert sum(row["key"].startswith(PREFIX) for row in rows) == 6


def test_a_profile_goes_on_where_it_stopped(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """What was kept before an interruption isn't measured again."""
    lost = [row for row in rows if row["key"].startswith(PREFIX)][-1]
    model = opened(profiler, [row for row in rows if row is not lost])
    profile(model, LOCAL_ONNXRUNTIME, **FEW)
    assert len(profiler.asked) == 1
    assert lost["key"] in model.table.rows


def test_a_calibration_is_for_the_usual_clock(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """That of its networks; had all rows been measured at half that clock, estimates would be the same."""
    gauges = sorted(row["gauge_s"] for row in rows if row["key"].startswith(PREFIX))
    assert gauges[0] <= calibration.basis.gauge_s <= gauges[-1]
    assert calibration.basis.memory_s > calibration.basis.gauge_s
    assert calibration.basis.near_mb == pytest.approx((1e-6 * near_bytes()) or USUAL_MB)
    times = ("latency_s", "p10_s", "median_s", "gauge_s", "memory_s")
    slower = [row if row["key"] == GAUGE else row | {name: 2.0 * row[name] for name in times} for row in rows]
    workload = Workload((), program=FAMILIES["mlp"](0))
    now, then = (opened(profiler, r, calibration).estimate(workload, LOCAL_ONNXRUNTIME) for r in (rows, slower))
    assert then["latency_s"].value == pytest.approx(now["latency_s"].value)


NEIGHBOURS = 0.3125
"""How far halves of a measurement disagree while the neighbour is there."""


class Neighbour(Recording):
    """The real profiler on a machine whose neighbour is there for a while: what is timed then takes far longer."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self.requests, self.until = 0, until

    def _times(self, programs: Sequence[bytes], device: Device, **more: Any) -> list[Measurement]:
        self.requests += 1
        found = super()._times(programs, device, **more)
        return [_noisy(m) for m in found] if 1 < self.requests <= self.until else found


def _noisy(found: Measurement) -> Measurement:
    times = {name: 20.0 * getattr(found, name) for name in ("latency_s", "p10_s", "median_s")}
    return replace(found, **times, disagreement=NEIGHBOURS)


def test_what_was_disturbed_is_measured_again_later() -> None:
    """Rows of the time in which the neighbour was there are replaced, and none of them was kept meanwhile."""
    told: list[tuple[str, int, int]] = []
    kept: list[dict[str, Any]] = []
    profiler = Neighbour(until=4)
    model = open_lookup(LOCAL_ONNXRUNTIME, profiler, (), kept.append)
    profile(model, LOCAL_ONNXRUNTIME, lambda *what: told.append(what), networks=3, families=["mlp"])
    profiler.close()
    assert told[-1][0] == "measuring again what was disturbed"
    assert len({row["key"] for row in kept}) == len(kept) == len(model.table.rows)
    assert NEIGHBOURS not in [row["disagreement"] for row in kept]
    assert not model.table.disturbed.held


def test_estimates_follow_the_calibration(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """Every part is stretched by the factor of its type; the error is the margin, or the noise where that is more."""
    workload = Workload((), program=FAMILIES["mlp"](0))
    model = opened(profiler, rows, calibration)
    raw = parts_of(model.table, model.look_up(workload, LOCAL_ONNXRUNTIME), calibration.basis)
    for known in (calibration, replace(calibration, margin=0.4)):
        cost = opened(profiler, rows, known).estimate(workload, LOCAL_ONNXRUNTIME)
        assert cost["latency_s"].value == pytest.approx(known.latency_s(raw))
        assert sum(part.latency_s for part in cost.per_op) == pytest.approx(cost["latency_s"].value)
        assert cost["latency_s"].error >= known.margin
    assert cost["latency_s"].error == 0.4


def test_a_stored_calibration_is_used(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """Opened with rows and calibration as they are stored, a device estimates as it did when it was profiled."""
    hardware = open_hardware("local-onnxruntime", rows, calibration=calibration.to_json())
    assert isinstance(hardware.cost_model, LookupModel)
    assert hardware.cost_model.calibration == calibration
    hardware.cost_model.profiler.close()


def test_sentinels_are_networks_of_the_table(profiler: Recording, rows: list[dict[str, Any]]) -> None:
    """A table without whole networks can't be checked for drift; nothing is timed."""
    with pytest.raises(HardwareModelError, match="profile it first"):
        check_drift(opened(profiler, [r for r in rows if not r["key"].startswith(PREFIX)]), LOCAL_ONNXRUNTIME)
    assert not profiler.asked


def test_drift_is_measured(profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration) -> None:
    """Rows that say the machine was four times as fast are seen through: the same machine now is about four times
    slower, unless it is too busy to tell."""
    faster = [row | {name: row[name] / 4 for name in ("latency_s", "p10_s", "median_s")} for row in rows]
    found = check_drift(opened(profiler, faster), LOCAL_ONNXRUNTIME)
    assert found.ratio > 2.0
    assert found.verdict in ("changed", "other", "busy")
    assert found.to_json()["words"] == found.words


def test_coverage_names_what_a_table_lacks(
    profiler: Recording, rows: list[dict[str, Any]], calibration: Calibration
) -> None:
    """A calibrated network is covered whole; another family's operators are named, and nothing is measured."""
    model = opened(profiler, rows, calibration)
    whole = coverage(model, FAMILIES["mlp"](0), LOCAL_ONNXRUNTIME)
    assert (whole.missing, whole.share) == ((), 1.0)
    lacking = coverage(model, FAMILIES["plain"](0), LOCAL_ONNXRUNTIME)
    assert any("Conv" in entry.type for entry in lacking.missing)
    assert 0.0 <= lacking.share < 0.5
    assert len(lacking.missing) <= lacking.operators
    assert set(lacking.to_json()["missing"][0]) == {"name", "type", "signature"}
    assert not profiler.asked


def test_the_set_is_fixed_by_its_seed() -> None:
    """Families and precisions take turns; a device without whole numbers gets none."""
    cases = list(calibration_set(LOCAL_ONNXRUNTIME, 14))
    assert [case.family for case in cases[:6]] == list(FAMILIES)
    assert [case.precision for case in cases] == ["fp32"] * 6 + ["int8"] * 6 + ["fp32"] * 2
    assert cases[6].program == int8(cases[0].program)
    assert cases[12].program == FAMILIES["plain"](1)
    assert cases == list(calibration_set(LOCAL_ONNXRUNTIME, 14))
    floats = replace(LOCAL_ONNXRUNTIME, macs_per_s={"fp32": 1e9})
    assert {case.precision for case in calibration_set(floats, 14)} == {"fp32"}
    with pytest.raises(HardwareModelError, match="there is no family"):
        list(calibration_set(LOCAL_ONNXRUNTIME, 4, families=["resnet"]))
