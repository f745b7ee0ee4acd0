from __future__ import annotations

import json
from typing import Any

import pytest

from hwmodels.base import Measurement
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.machine import machine_key
from hwmodels.table import BadTable, Table, header_for
from tests.onnx_networks import row

HEADER = header_for(LOCAL_ONNXRUNTIME, "1.0", machine_key())


def test_a_table_comes_back_from_json_as_it_was() -> None:
    """Header, rows and signatures survive a text file to the last bit."""
    table = Table.from_rows(HEADER, [row("a", 1 / 3 * 1e-6), row("b", 2e-6)])
    again = Table.from_json(json.loads(json.dumps(table.to_json())))
    assert (again.header, again.rows, again.signatures) == (table.header, table.rows, table.signatures)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"latency_s": -1e-6}, "latency_s is -1e-06"),
        ({"latency_s": 0}, "latency_s is 0"),
        ({"latency_s": float("nan")}, "latency_s is nan"),
        ({"median_s": float("inf")}, "median_s is inf"),
        ({"latency_s": "fast"}, "latency_s is 'fast'"),
        ({"latency_s": None}, "latency_s is None"),
        ({"p10_s": 1e-7}, "must rise"),
        ({"calls": 0}, "calls is 0"),
        ({"calls": 2.5}, "calls is 2.5"),
        ({"disagreement": -0.1}, "disagreement is -0.1"),
    ],
)
def test_impossible_rows_are_refused_by_name(changes: dict[str, Any], said: str) -> None:
    """A figure that can't have been measured is refused with the row's key and the figure."""
    with pytest.raises(BadTable, match=rf"row 'bad': .*{said}"):
        Table.from_rows(HEADER, [row("good"), row("bad", **changes)])


def test_duplicates_are_refused_by_name() -> None:
    """Two rows of one key contradict each other."""
    with pytest.raises(BadTable, match="row 'a' is there twice"):
        Table.from_rows(HEADER, [row("a"), row("a", 2e-6)])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.pop("header"),
        lambda data: data["header"].pop("machine"),
        lambda data: data["header"].update(threads="1"),
        lambda data: data["header"].update(colour="red"),
        lambda data: data["rows"].append({"key": "b"}),
        lambda data: data["rows"].append(row("b", extra=1)),
        lambda data: data["rows"].append("b"),
        lambda data: data.update(rows={}),
    ],
)
def test_json_that_is_no_table_is_refused(spoil: Any) -> None:
    """Whatever is missing, misnamed or of another type, is refused rather than guessed."""
    data = Table.from_rows(HEADER, [row("a")]).to_json()
    spoil(data)
    with pytest.raises(BadTable):
        Table.from_json(data)


def test_new_rows_are_reported_once_and_the_first_stays() -> None:
    """`on_measure` sees each new row as JSON-able data; stored rows and second measurements aren't reported."""
    seen: list[dict[str, Any]] = []
    table = Table.from_rows(HEADER, [row("stored")], seen.append)
    first, second = Measurement(1e-6, 2e-6, 3e-6, 5, 0.1), Measurement(2e-6, 2e-6, 3e-6, 5, 0.1)
    for measurement in (first, second):
        table.add("new", "Conv()", measurement)
    table.add("stored", "Conv()", second)
    assert [json.loads(json.dumps(r))["key"] for r in seen] == ["new"]
    assert table.rows["new"] == first
    assert Table.from_rows(HEADER, seen).rows == {"new": first}


def test_the_noise_floor_covers_nine_rows_of_ten() -> None:
    """One wild row among ten doesn't set the floor."""
    rows = [row(str(n), disagreement=0.01 * n) for n in range(10)] + [row("wild", disagreement=9.0)]
    assert Table.from_rows(HEADER, rows).noise_floor == pytest.approx(0.09)


def test_a_table_without_overhead_says_so() -> None:
    """Sums need the cost of a call; it is not taken for zero."""
    with pytest.raises(BadTable, match="no row 'overhead'"):
        _ = Table(HEADER).overhead


def test_the_machine_key_is_stable_and_not_empty() -> None:
    """CPU model, cores and instruction sets, the same at every call."""
    assert machine_key() == machine_key()
    assert len(machine_key().split(", ")) == 3
