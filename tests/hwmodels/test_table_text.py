"""Tables as CSV: read with every fault named by its line, or not at all; what is written is read back."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.base import Measurement
from hwmodels.catalogue import DEVICES
from hwmodels.imported import ImportedModel
from hwmodels.signature import op_signature
from hwmodels.table import OVERHEAD, Table, TableHeader
from hwmodels.table_text import BadText, read_csv, read_json, table_to_csv
from tests.hwmodels.ops import chain, conv, linear

HEAD = "# device: npu\n# runtime: tool\n# version: 2.1\n# machine: devkit A\n"
HEADER = TableHeader("npu", "tool", "2.1", "devkit A")
CONVS = [f"conv int8 i8[1x{c}x8x8] -> i8[1x{c}x8x8] {{}}" for c in (8, 16, 24, 32)]


def text(*rows: str, columns: str = "signature,latency_us") -> str:
    return HEAD + "\n".join((columns, *rows)) + "\n"


def faults(csv: str) -> list[str]:
    with pytest.raises(BadText) as caught:
        read_csv(csv)
    return caught.value.faults


def test_a_table_of_signatures_and_microseconds_is_read() -> None:
    """A latency is enough; what isn't given is the latency itself, one call and no known noise."""
    table = read_csv(text("overhead,12.5", f'"{CONVS[0]}",80'))
    assert table.header == HEADER
    assert table.overhead.latency_s == pytest.approx(12.5e-6)
    row = table.rows[CONVS[0]]
    assert (row.latency_s, row.p10_s, row.median_s) == pytest.approx((80e-6, 80e-6, 80e-6))
    assert (row.calls, row.disagreement) == (1, 0.0)
    assert table.signatures[CONVS[0]] == CONVS[0]


def test_a_read_table_costs_a_network() -> None:
    """Rows under the signatures of our own operators: the estimate is their sum and the overhead."""
    network = chain(conv("one"), linear("two"))
    rows = [f'"{op_signature(op)}",{time}' for op, time in zip(network.ops, (80, 20), strict=True)]
    table = read_csv(text("overhead,5", *rows))
    device = replace(DEVICES["cortex-m7-analytical"], id="npu", kind="imported")
    assert ImportedModel(table).estimate(network, device)["latency_s"].value == pytest.approx(105e-6)


@pytest.mark.parametrize(("unit", "scale"), [("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9)])
def test_units_stand_in_the_columns_name(unit: str, scale: float) -> None:
    """Each time in a unit of its own."""
    table = read_csv(text("a,3,4,5,7", columns=f"signature,latency_{unit},p10_{unit},median_{unit},calls"))
    row = table.rows["a"]
    assert (row.latency_s, row.p10_s, row.median_s) == pytest.approx((3 * scale, 4 * scale, 5 * scale))
    assert row.calls == 7


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,-3", "line 7: latency_us is '-3'; a time is above 0"),
        ("a,0", "line 7: latency_us is '0'; a time is above 0"),
        ("a,nan", "line 7: latency_us is 'nan'; it is a number"),
        ("a,inf", "line 7: latency_us is 'inf'; it is a number"),
        ("a,fast", "line 7: latency_us is 'fast'; it is a number"),
        ("a,", "line 7: latency_us is ''; it is a number"),
        ("a,1e12", "line 7: latency_us is '1e12'; that is over an hour"),
        ("a", "line 7: it has 1 fields, and the columns are 2"),
        (",3", "line 7: it has no signature and no key"),
        ("first,3", "line 7: 'first' is there already, in line 6"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(row: str, says: str) -> None:
    """The line of the file, counted from 1, header and columns included."""
    assert any(fault.startswith(says) for fault in faults(text("first,3", row)))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("signature,latency", "the column latency has no unit; name it latency_s, latency_ms"),
        ("signature,latency_min", "is in 'min', which isn't known"),
        ("signature,latncy_us", "did you mean latency_us?"),
        ("signature,calls", "there is no column for the latency"),
        ("latency_us,calls", "there is no column signature"),
        ("signature,latency_us,latency_ms", "there are two columns for latency_s"),
    ],
)
def test_wrong_columns_are_named(columns: str, says: str) -> None:
    """With what would be right."""
    found = faults(text(",".join(["1"] * len(columns.split(","))), columns=columns))
    assert any(says in fault and fault.startswith("line 5: ") for fault in found)


def test_all_lines_are_named_and_nothing_is_imported() -> None:
    """A user mends a file in one go."""
    found = faults(text("a,3", "b,-1", "c,x", "a,4", columns="signature,latency_us"))
    assert [fault.split(":")[0] for fault in found] == ["line 7", "line 8", "line 9"]


def test_a_row_in_another_unit_is_named() -> None:
    """Milliseconds among microseconds: a thousand times all others of its kind."""
    times = (80, 160, 0.24, 320)
    found = faults(text(*(f'"{name}",{time}' for name, time in zip(CONVS, times, strict=True))))
    assert len(found) == 1
    assert found[0].startswith("line 8: ")
    assert "shorter than other conv rows: is it in another unit?" in found[0]


def test_a_large_operator_is_not_taken_for_another_unit() -> None:
    """A thousand times the work takes a thousand times as long."""
    big = "conv int8 i8[1x256x64x64] -> i8[1x256x64x64] {}"
    table = read_csv(
        text(*(f'"{name}",{time}' for name, time in zip(CONVS, (8, 16, 24, 32), strict=True)), f"{big},20000")
    )
    assert table.rows[big].latency_s == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("csv", "says"),
    [
        ("", "no line that names the columns"),
        (HEAD, "no line that names the columns"),
        ("signature,latency_us\na,3\n", "the header lacks device, runtime, version, machine"),
        (HEAD + "# threads: many\nsignature,latency_us\na,3\n", "line 5: threads is 'many'"),
        (HEAD + "# device: other\nsignature,latency_us\na,3\n", "line 5: the header has device twice"),
        (HEAD + "signature,latency_us\n", "no row below the columns"),
        (HEAD + 'signature,latency_us\n"a,3\n', "line"),
    ],
    ids=["empty", "header only", "no header", "threads", "twice", "no rows", "open quote"],
)
def test_a_text_that_is_no_table_is_refused(csv: str, says: str) -> None:
    """Header faults among them."""
    assert any(says in fault for fault in faults(csv))


NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12)
TIMES = st.tuples(*[st.floats(1e-8, 1e3)] * 3).map(sorted)
ROWS = st.builds(
    lambda t, calls, noise: Measurement(t[0], t[1], t[2], calls, noise), TIMES, st.integers(1, 10**6), st.floats(0, 2)
)


@given(st.dictionaries(NAMES.map(lambda n: " ".join(n.split())).filter(bool), ROWS, min_size=1, max_size=5))
def test_what_is_written_is_read_back(rows: dict[str, Measurement]) -> None:
    """Every figure to the last bit, whatever is in the keys."""
    signatures = {key: f"Conv {key}" for key in rows}
    table = Table(replace(HEADER, threads=2, batch=8), dict(rows), signatures)
    assert read_csv(table_to_csv(table)) == table


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(rest: str) -> None:
    """Never with another error than ours."""
    for content in (rest, HEAD + "signature,latency_us\n" + rest):
        with suppress(BadText):
            assert read_csv(content).rows


def test_json_tables_are_read_too() -> None:
    """As tables are stored; anything else is refused."""
    table = Table(HEADER, {OVERHEAD: Measurement(1e-6, 1e-6, 2e-6, 10, 0.0)}, {OVERHEAD: "an empty call"})
    assert read_json(json.dumps(table.to_json())) == table
    for content in ("{", "[]", "3"):
        with pytest.raises(BadText):
            read_json(content)
