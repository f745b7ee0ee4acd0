from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hwmodels.base import Source, UnsupportedOp
from hwmodels.device import Device
from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.imported import IMPORT_ERROR, ImportedModel, open_imported
from hwmodels.signature import op_signature
from hwmodels.table import OVERHEAD, BadTable
from hwmodels.workload import Op, Workload
from search.devices import open_hardware
from tests.onnx_networks import conv_op, linear_op, row

BOARD = replace(LOCAL_ONNXRUNTIME, id="board", kind="imported", cost_model="imported", profiler="")


def of(op: Op, seconds: float, **changes: Any) -> dict[str, object]:
    return row(f"row of {op_signature(op)}", seconds, **({"signature": op_signature(op)} | changes))


def model(*rows: dict[str, object]) -> ImportedModel:
    return open_imported(BOARD, rows)


def latency(found: ImportedModel, op: Op, device: Device = BOARD) -> float:
    return found.estimate(Workload((op,), ("x",), (op.name,)), device)["latency_s"].value


def test_latency_is_the_sum_of_rows() -> None:
    """Each operator's row as it is, and the cost of a call once; nothing is measured."""
    ops = (conv_op("conv0", 8), replace(conv_op("conv1", 8), reads=("conv0",)), linear_op("fc", 8, "conv1"))
    found = model(of(ops[0], 2e-3), of(ops[2], 1e-3), row(OVERHEAD, 1e-4))
    cost = found.estimate(Workload(ops, ("x",), ("fc",)), BOARD)
    assert cost["latency_s"].value == pytest.approx(2 * 2e-3 + 1e-3 + 1e-4)
    assert (cost["latency_s"].source, cost["latency_s"].error) == (Source.LOOKED_UP, IMPORT_ERROR)
    assert [part.name for part in cost.per_op] == ["conv0", "conv1", "fc"]


def test_between_two_widths_the_wider_one_counts() -> None:
    """Kernels climb in steps: a width without a row costs what the next measured one does, never something between."""
    found = model(of(conv_op("a", 8), 1e-3), of(conv_op("a", 16), 2e-3), of(conv_op("a", 32), 5e-3))
    expected = {8: 1e-3, 9: 2e-3, 15: 2e-3, 16: 2e-3, 17: 5e-3, 32: 5e-3}
    assert {width: latency(found, conv_op("b", width)) for width in expected} == expected


@pytest.mark.parametrize("width", [4, 33])
def test_nothing_is_extrapolated(width: int) -> None:
    """A width outside those measured is refused, with what the table has."""
    found = model(of(conv_op("a", 8), 1e-3), of(conv_op("a", 32), 2e-3))
    with pytest.raises(UnsupportedOp, match=rf"conv7 \(conv out={width} .*widths 8 to 32"):
        latency(found, conv_op("conv7", width))


def test_other_operators_are_refused_by_name() -> None:
    """All that is missing is named in one message, with the signatures that rows would need; a width isn't shared with
    another precision or another input."""
    found = model(of(conv_op("a", 8), 1e-3), of(conv_op("a", 32), 2e-3))
    ops = (conv_op("conv0", 16), conv_op("conv1", 16, bits=8), conv_op("conv2", 16, given=4), linear_op("fc", 8, "x"))
    with pytest.raises(UnsupportedOp) as refused:
        found.estimate(Workload(ops), BOARD)
    for op in ops[1:]:
        assert f"{op.name} ({op_signature(op)})" in str(refused.value)
    assert "conv0" not in str(refused.value)
    assert "board" in str(refused.value)


def test_noise_of_the_rows_widens_the_error() -> None:
    """Rows that disagree by more than imported tables usually do say so."""
    found = model(of(conv_op("a", 8), 1e-3, disagreement=0.3))
    assert found.estimate(Workload((conv_op("a", 8),)), BOARD)["latency_s"].error == pytest.approx(0.3)


def test_two_rows_of_one_operator_are_refused() -> None:
    """A table that contradicts itself is none."""
    with pytest.raises(BadTable, match="two rows"):
        model(of(conv_op("a", 8), 1e-3), row("another", 2e-3, signature=op_signature(conv_op("b", 8))))
    with pytest.raises(BadTable, match="batch"):
        latency(model(of(conv_op("a", 8), 1e-3)), conv_op("a", 8), replace(BOARD, batch=8))


def test_a_device_with_an_imported_table_needs_no_runtime() -> None:
    """It opens without a profiler, and answers from its rows."""
    hardware = open_hardware(BOARD, [of(conv_op("a", 8), 1e-3)])
    assert hardware.profiler is None
    cost = hardware.cost_model.estimate(Workload((conv_op("a", 8),)), BOARD)
    assert cost["latency_s"].value == 1e-3
