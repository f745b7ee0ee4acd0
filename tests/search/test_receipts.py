"""Bundles of devices that nobody here knows: what the receipt says of them is enough to check."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwmodels.datasheet import device_to_json
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.devices.microcontrollers import CORTEX_M7
from search.context import open_context
from search.devices import open_hardware
from search.problem import SearchError
from search.proofs import check, replay
from search.run import run_search

OWN = replace(CORTEX_M7, id="my-chip", macs_per_s={"fp32": 300e6, "int8": 900e6}, mac_energy_j=CORTEX_M7.mac_energy_j)
"""A user's own datasheet, which is in no catalogue."""


@pytest.fixture(scope="module")
def bundle(model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search for the user's own device, with the table's key as a service notes it."""
    request = {"device": "my-chip", "dataset": "digits", "limits": {"latency": "0.6x"}, "seed": 0, "evaluations": 5}
    request |= {"strategy": "plan", "recovery_epochs": 1, "methods": ["quantization"]}
    folder = tmp_path_factory.mktemp("own") / "bundle"
    outcome = run_search(open_context(request, model_file, "digits", open_hardware(OWN)), folder)
    assert outcome["outcome"] == "feasible"
    return folder


def limit_row(folder: Path) -> dict[str, Any]:
    return next(row for row in check(folder)["checks"] if row["name"] == "limit latency")


def with_receipt(bundle: Path, folder: Path, **changes: Any) -> Path:
    """A copy of a bundle that says something else of its device."""
    shutil.copytree(bundle, folder)
    receipt = json.loads((folder / "receipt.json").read_text()) | changes
    (folder / "receipt.json").write_text(json.dumps(receipt))
    return folder


def test_an_own_device_is_modelled_again_from_its_datasheet(bundle: Path) -> None:
    """Check and replay know the device from the receipt alone."""
    found = check(bundle)
    assert found["ok"], found["checks"]
    assert limit_row(bundle)["found"] == pytest.approx(limit_row(bundle)["recorded"])
    assert replay(bundle)["identical"]


def test_another_datasheet_gives_another_latency(bundle: Path, tmp_path: Path) -> None:
    """With half the int8 rate in the receipt, the limit is found broken: the figure is really modelled again."""
    slow = device_to_json(replace(OWN, macs_per_s={"fp32": 300e6, "int8": 225e6}))
    row = limit_row(with_receipt(bundle, tmp_path / "slow", datasheet=slow))
    assert not row["ok"]
    assert row["found"] > 2 * row["recorded"]


def test_a_board_behind_a_service_is_not_measured_again(bundle: Path, tmp_path: Path) -> None:
    """The row says so and doesn't count as failed; bytes, quality and MACs are checked all the same."""
    board = device_to_json(replace(LOCAL_ONNXRUNTIME, id="my-board"))
    folder = with_receipt(bundle, tmp_path / "board", device="my-board@batch=1", datasheet=board)
    row = limit_row(folder)
    assert (row["found"], row["ok"]) == ("–", True)
    assert row["note"] == "not measured again: my-board is reached through its service"
    assert check(folder)["ok"]
    assert replay(folder)["identical"]


def test_an_unknown_device_without_datasheet_is_named(bundle: Path, tmp_path: Path) -> None:
    """The message says what is missing."""
    with pytest.raises(SearchError, match=r"names the device gone, which isn't known here, and has no datasheet"):
        check(with_receipt(bundle, tmp_path / "gone", device="gone", datasheet=None))
