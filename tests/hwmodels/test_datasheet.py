"""Datasheets that users write: what they say is what the device is, and every fault is named by its field."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.catalogue import DEVICES
from hwmodels.datasheet import device_from_json, device_to_json, read_datasheet
from hwmodels.datasheet_fields import BadDatasheet
from hwmodels.device import Device
from hwmodels.roofline import Roofline
from hwmodels.table_text import read_csv
from tests.hwmodels.ops import chain, conv, linear

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "my-board.toml"
GUIDE = ROOT / "docs" / "how-to" / "add-a-device.md"
BOARD: dict[str, Any] = {
    "id": "my-board",
    "macs_per_s": {"int8": 128e6},
    "mac_energy_j": {"int8": 1e-12},
    "memories": [{"name": "SRAM", "bytes": 65536, "bandwidth_bytes_per_s": 256e6, "energy_j_per_bit": 0.3e-12}],
}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(BadDatasheet) as caught:
        device_from_json(document)
    for field in caught.value.fields:
        assert field in str(caught.value)
    return caught.value.fields


def test_the_guides_own_examples_are_read() -> None:
    """The datasheet and the table of docs/how-to/add-a-device.md fit each other."""
    blocks = re.findall(r"```(toml|)\n(# .*?)```", GUIDE.read_text(), re.S)
    device = read_datasheet(next(text for kind, text in blocks if kind == "toml"), "my-npu.toml")
    table = read_csv(next(text for kind, text in blocks if not kind))
    assert (table.header.device, table.header.runtime) == (device.id, device.profiler)
    assert table.overhead.latency_s == pytest.approx(12.5e-6)


def test_the_example_is_a_device_that_estimates() -> None:
    """The file under examples/ reads, computes in both its precisions, and costs more time in the wider one."""
    device = read_datasheet(EXAMPLE.read_text(), EXAMPLE.name)
    assert device.precisions == ("fp32", "int8")
    assert device.memories[1].holds == "weights"
    narrow, wide = (Roofline().estimate(chain(conv(bits=b), linear(bits=b)), device) for b in (8, 32))
    assert narrow["latency_s"].value < wide["latency_s"].value


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda d: d.id)
def test_every_device_of_the_catalogue_survives_its_document(device: Device) -> None:
    """Written as JSON, as text, and read back: the same device."""
    assert device_from_json(json.loads(json.dumps(device_to_json(device)))) == device


def test_a_measured_board_takes_after_the_catalogue() -> None:
    """A runtime's name is enough: precisions, energies and the cost model are those of the device for it."""
    found = device_from_json({"id": "my-board", "kind": "measured", "profiler": "onnxruntime", "threads": 4})
    usual = DEVICES["local-onnxruntime"]
    assert (found.cost_model, found.macs_per_s) == (usual.cost_model, usual.macs_per_s)
    assert (found.id, found.kind, found.threads) == ("my-board", "measured", 4)
    assert device_from_json(device_to_json(found)) == found


def test_an_imported_board_lists_its_precisions() -> None:
    """It needs no rates: its latencies are in a table, under the name of what measured them."""
    found = device_from_json({"id": "npu", "kind": "imported", "precisions": ["int8"], "profiler": "vendor-tool"})
    assert (found.precisions, found.cost_model, found.profiler) == (("int8",), "imported", "vendor-tool")
    assert device_from_json(device_to_json(found)) == found


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"op_overhed_s": 1e-6}, "op_overhed_s", "did you mean op_overhead_s?"),
        ({"macs_per_s": {"int8": -1.0}}, "macs_per_s.int8", "multiply-accumulates per second"),
        ({"macs_per_s": {"int8": 128}}, "macs_per_s.int8", "480 MHz is 480e6"),
        ({"mac_energy_j": {"int8": 0.3}}, "mac_energy_j.int8", "3 pJ is 3e-12"),
        ({"mac_energy_j": {"int8": 1e-12, "fp32": 4e-12}}, "macs_per_s.fp32", "is missing"),
        ({"macs_per_s": {"int8": 1e9, "int4": 1e9}}, "mac_energy_j.int4", "is missing"),
        ({"macs_per_s": {"int8": 1e9, "float": 1e9}}, "macs_per_s.float", "no kind of arithmetic"),
        ({"static_power_w": float("nan")}, "static_power_w", "watts"),
        ({"ram_bytes": 0.5}, "ram_bytes", "whole bytes"),
        ({"efficiency": {"conv": 30}}, "efficiency.conv", "30 % is 0.3"),
        ({"efficiency": {"convolution": 0.3}}, "efficiency.convolution", "no kind of operator"),
        ({"gates": {"2/4": 1.0}}, "gates.2/4", "no pattern of zeros"),
        ({"memories": []}, "memories", "is missing"),
        ({"memories": "SRAM"}, "memories", "is a list"),
        ({"memories": [{"name": "a", "byte": 3}]}, "memories.0.byte", "did you mean bytes?"),
        ({"memories": [{"name": "a"}, {"name": "a"}]}, "memories.1.name", "is taken"),
        ({"memories": [{"name": "static"}]}, "memories.0.name", "is taken"),
        ({"array": {"rows": 12}}, "array.columns", "a whole number from 1 up"),
        ({"storage_bits": {"8": 16}}, "storage_bits.8", "8 bits or fewer"),
        ({"compressed": "yes"}, "compressed", "true or false"),
        ({"batch": True}, "batch", "1 to 4096"),
        ({"batch": 10**400}, "batch", "1 to 4096"),
        ({"kind": "analytic"}, "kind", "did you mean analytical?"),
        ({"kind": "measured"}, "profiler", "one of onnxruntime"),
        ({"kind": "measured", "profiler": "openvnio"}, "profiler", "did you mean openvino?"),
        ({"profiler": "onnxruntime"}, "profiler", "say kind = measured"),
        ({"id": "My Board"}, "id", "lower-case letters"),
        ({"sources": [3]}, "sources.0", "is text"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_a_fault_is_named_by_its_field(change: dict[str, Any], field: str, says: str) -> None:
    """With what would be right."""
    assert says in faults(BOARD | change)[field]


def test_all_faults_are_named_at_once() -> None:
    """A user mends a datasheet in one go."""
    found = faults(BOARD | {"static_power_w": -1, "threads": 0, "titel": "x", "efficiency": {"conv": 2}})
    assert set(found) == {"static_power_w", "threads", "titel", "efficiency.conv"}


@pytest.mark.parametrize("document", [None, [], "id", 3, {}, {"id": None}])
def test_what_is_no_datasheet_is_refused(document: Any) -> None:
    """Never with another error than ours."""
    assert faults(document)


@pytest.mark.parametrize(("text", "name"), [("id = ", "a.toml"), ("{", "a.json"), ("[" * 100_000, "a.json")])
def test_text_that_is_neither_is_refused_by_the_files_name(text: str, name: str) -> None:
    """TOML or JSON, by the name."""
    with pytest.raises(BadDatasheet, match=name):
        read_datasheet(text, name)


def test_the_catalogues_names_are_taken() -> None:
    """A file can't stand for a device that is there already."""
    text = json.dumps(device_to_json(DEVICES["cortex-m7-analytical"]))
    with pytest.raises(BadDatasheet, match="take another id"):
        read_datasheet(text, "m7.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = [*sorted(device_to_json(DEVICES["eyeriss-analytical"])), "kind", "profiler", "precisions", "batch"]


@given(st.sampled_from(NAMES), JSON)
def test_whatever_a_field_holds_it_is_read_or_named(name: str, value: Any) -> None:
    """Nothing else is ever raised, and what is read survives being written."""
    document = device_to_json(replace(DEVICES["eyeriss-analytical"], id="mine")) | {name: value}
    try:
        device = device_from_json(document)
    except BadDatasheet:
        return
    assert device_from_json(device_to_json(device)) == device
