"""A device decides what helps: one model ends in other recipes on other devices, and the report says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwmodels.device import Device
from hwmodels.devices.microcontrollers import CORTEX_M7
from search.alone_words import AloneLine, alone_lines
from search.context import open_context
from search.devices import open_hardware
from search.flags import slower_flags
from search.run import run_search

SLOW_INT8 = replace(CORTEX_M7, id="no-int8-units", macs_per_s={"fp32": 480e6, "int8": 240e6})
"""The same microcontroller, but that integers are emulated: two operations for one."""
EVERYTHING_INT8 = {"steps": [{"method": "quantization", "choices": {"weight:*": "int8"}}]}


def fitted(device: Device, model: Path, folder: Path, **more: Any) -> dict[str, Any]:
    """The outcome of a short search for 0.6 of the latency."""
    request = {"device": device.id, "dataset": "digits", "limits": {"latency": "0.6x"}, "seed": 0, "evaluations": 6}
    request |= {"strategy": "plan", "recovery_epochs": 1, "methods": ["channel-pruning", "quantization"]} | more
    return run_search(open_context(request, model, "digits", open_hardware(device)), folder)


def methods_in(outcome: dict[str, Any]) -> set[str]:
    return {step["method"] for step in outcome["compressed"]["recipe"]["steps"]}


def line_of(outcome: dict[str, Any], method: str) -> AloneLine:
    return next(line for line in alone_lines(outcome) if line.method == method)


def test_int8_is_chosen_where_it_pays_and_refused_where_it_does_not(model_file: Path, tmp_path: Path) -> None:
    """Two searches of one model: the report gives what int8 alone brings on each, half the latency or twice."""
    pays = fitted(CORTEX_M7, model_file, tmp_path / "pays")
    costs = fitted(SLOW_INT8, model_file, tmp_path / "costs")
    assert (pays["outcome"], costs["outcome"]) == ("feasible", "feasible")
    assert "quantization" in methods_in(pays)
    assert methods_in(costs) == {"channel-pruning"}
    assert line_of(pays, "quantization").latency == "0.50×"
    told = line_of(costs, "quantization")
    assert (told.latency, told.used) == ("1.99×", "not used: no gain in latency here")
    page = (tmp_path / "costs" / "report.html").read_text()
    assert "What helps on this device" in page
    assert "not used: no gain in latency here" in page


def test_a_device_without_integers_offers_none(model_file: Path, tmp_path: Path) -> None:
    """Its datasheet has no int8, and the report says that there is no place for it."""
    none = replace(CORTEX_M7, id="floats-only", macs_per_s={"fp32": 480e6})
    told = line_of(fitted(none, model_file, tmp_path / "none"), "quantization")
    assert told.used == "no place for it in this model on floats-only"


@pytest.mark.parametrize(("device", "flagged"), [(SLOW_INT8, True), (CORTEX_M7, False)], ids=["slow", "fast"])
def test_quantised_but_slower_is_said(device: Device, flagged: bool, model_file: Path, tmp_path: Path) -> None:
    """Asked for int8 everywhere, the note names the device and by how much it is slower; only where that is so."""
    outcome = fitted(device, model_file, tmp_path / "out", recipe=EVERYTHING_INT8, limits={"size": "0.5x"})
    notes = [flag for flag in outcome["flags"] if flag.startswith("quantised but slower")]
    assert bool(notes) is flagged
    if flagged:
        assert notes[0].endswith("on no-int8-units: 1.99x its latency (modelled)")


def test_noise_raises_no_alarm() -> None:
    """Two measurements of one run that differ by less than their error bars aren't called slower; by more, they are."""

    def costs(latency: float) -> dict[str, Any]:
        figure = {"value": latency, "source": "measured", "error": 0.03}
        return {"latency_s": figure, "file_bytes": {"value": 10 / latency}}

    close = {"costs": costs(1.02), "unquantised": costs(1.0)}
    assert slower_flags(costs(1.0), close, "here") == []
    far = {"costs": costs(1.2), "unquantised": costs(1.0)}
    assert [flag.partition(" on here: ")[2] for flag in slower_flags(costs(1.0), far, "here")] == [
        "1.20x its latency (measured in the same run)",
        "1.20x its latency (measured in the same run)",
    ]
