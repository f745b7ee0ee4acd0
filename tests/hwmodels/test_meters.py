"""Meters of energy: the arithmetic of RAPL on made-up counters, and what is said where there is no meter."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hwmodels.base import Measurement
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.meters.catalogue import describe, meter_here
from hwmodels.meters.meter import NoMeter, joules_per_call, with_energy
from hwmodels.meters.nvml import Nvml
from hwmodels.meters.rapl import Rapl
from hwmodels.profilers.onnxruntime import OnnxRuntimeProfiler
from hwmodels.table import BadTable, Table, header_for, read_row
from tests.onnx_networks import convolutional, row

RANGE_UJ = 1_000_000
FOUND = Measurement(1e-3, 1e-3, 1e-3, 10, 0.0)


def zone(root: Path, folder: str, name: str, energy_uj: int) -> Path:
    """A powercap zone as the kernel shows it; returns its counter."""
    place = root / folder
    place.mkdir()
    (place / "name").write_text(f"{name}\n")
    (place / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (place / "energy_uj").write_text(f"{energy_uj}\n")
    return place / "energy_uj"


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of an administrator, who may read everything."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)


def test_packages_add_up_and_their_parts_do_not(tmp_path: Path) -> None:
    """Two packages count together; cores within one, memory and the platform are left out."""
    counters = [zone(tmp_path, f"intel-rapl:{n}", f"package-{n}", 100) for n in (0, 1)]
    counters += [zone(tmp_path, "intel-rapl:0:0", "core", 100), zone(tmp_path, "intel-rapl:2", "psys", 100)]
    meter = Rapl(tmp_path)
    for counter in counters:
        counter.write_text("600100")
    assert meter.read_j() == pytest.approx(1.2)
    assert "package-0, package-1" in meter.describe()
    assert "psys" not in meter.describe()


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    """Past its range it starts at zero, and no joule is lost or counted below zero, several times over."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 900_000)
    meter = Rapl(tmp_path)
    for reading, joules in ((100_000, 0.2), (50_000, 1.15), (950_000, 2.05)):
        counter.write_text(str(reading))
        assert meter.read_j() == pytest.approx(joules)


def test_joules_are_shared_by_the_calls(tmp_path: Path) -> None:
    """What the counter moved, divided by the calls that ran meanwhile; a run is called at least once."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    meter, calls = Rapl(tmp_path), []

    def run() -> None:
        calls.append(1)
        counter.write_text(str(min(len(calls), 40) * 1000))

    meter.burst_s = 0.0
    assert joules_per_call(meter, run) == pytest.approx(1e-3)
    meter.burst_s = 0.05
    assert joules_per_call(meter, run) * (len(calls) - 1) == pytest.approx((min(len(calls), 40) - 1) * 1e-3)


def test_a_counter_that_may_not_be_read_is_no_meter() -> None:
    """The file is named, with what would open it: kernels since 2020 show it to administrators alone."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    zone(root, "intel-rapl:0", "package-0", 0).chmod(0)
    with as_nobody(), pytest.raises(NoMeter, match=r"energy_uj may not be read by this user: sudo chmod a\+r"):
        Rapl(root)
    shutil.rmtree(root)


def test_a_counter_that_is_none_is_no_meter(tmp_path: Path) -> None:
    """One that holds no number, one that is missing, and none at all."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    counter.write_text("much")
    with pytest.raises(NoMeter, match="'much', which is no energy"):
        Rapl(tmp_path)
    counter.unlink()
    with pytest.raises(NoMeter, match="energy_uj can't be read: No such file"):
        Rapl(tmp_path)
    with pytest.raises(NoMeter, match="not offered here"):
        Rapl(tmp_path / "nowhere")


def test_what_is_metered_here_or_why_nothing_is_is_told() -> None:
    """Either there is a meter, and it counts, or the reason stands in its place."""
    meter = meter_here()
    words = describe()
    if meter is None:
        assert words.startswith("no meter: ")
        assert "RAPL" in words or "powercap" in words
    else:
        assert words == meter.describe()
        assert meter.read_j() >= 0.0


def test_without_a_meter_nothing_is_made_up() -> None:
    """The measurement stays at 0 J, which says that it wasn't metered."""
    assert with_energy([FOUND], [lambda: None], None) == [FOUND]
    assert FOUND.energy_j == 0.0


def test_a_meter_changes_nothing_but_the_energy(tmp_path: Path) -> None:
    """Latencies stay as they were measured, without the meter's burst."""
    counter = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    meter = Rapl(tmp_path)
    meter.burst_s = 0.0
    (found,) = with_energy([FOUND], [lambda: counter.write_text("2500")], meter)
    assert found.energy_j == pytest.approx(2.5e-3)
    assert (found.latency_s, found.calls) == (FOUND.latency_s, FOUND.calls)


def test_whole_networks_are_metered_where_they_are_timed() -> None:
    """The measuring process reads the machine's meter; where there is none, the measurement says 0."""
    profiler = OnnxRuntimeProfiler()
    (found,) = profiler.measure([convolutional()], LOCAL_ONNXRUNTIME)
    profiler.close()
    assert (found.energy_j > 0.0) == (meter_here() is not None)


@pytest.mark.parametrize("energy_j", [-1.0, math.nan, "much"])
def test_rows_keep_the_energy_and_older_ones_lack_it(energy_j: object) -> None:
    """A row written before there were meters reads as not metered; an impossible energy is refused by its row."""
    assert read_row(row("old")).energy_j == 0.0
    table = Table.from_rows(header_for(LOCAL_ONNXRUNTIME, "1", "here"), [row("new", energy_j=2e-3), row("old")])
    assert Table.from_json(table.to_json()).rows["new"].energy_j == 2e-3
    with pytest.raises(BadTable, match=r"row 'bad'.*energy_j"):
        read_row(row("bad", energy_j=energy_j))


def test_a_gpu_is_metered_by_nvml_or_the_reason_is_told() -> None:
    """The package or the driver is named where it is missing; a board that is there counts upwards."""
    words = describe("onnxruntime-cuda")
    if words.startswith("no meter: "):
        assert any(word in words for word in ("nvidia-ml-py", "NVML", "energy"))
        assert meter_here("onnxruntime-cuda") is None
    else:
        assert math.isfinite(Nvml().read_j())
