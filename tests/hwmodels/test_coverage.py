from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hwmodels.coverage import coverage, extent
from hwmodels.imported import open_imported
from hwmodels.signature import op_signature
from hwmodels.table import Table, TableHeader
from hwmodels.workload import Workload
from tests.hwmodels.test_imported import BOARD, of
from tests.onnx_networks import conv_op, linear_op, row


def test_imported_tables_lack_operators_by_name() -> None:
    """Each missing signature once, under the first of its names; the share is that of the work."""
    ops = (conv_op("conv0", 8), conv_op("conv1", 16), conv_op("conv2", 16), linear_op("fc", 8, "conv2"))
    found = coverage(open_imported(BOARD, [of(ops[0], 1e-3), of(ops[3], 1e-3)]), Workload(ops), BOARD)
    assert [entry.name for entry in found.missing] == ["conv1"]
    assert found.missing[0].signature == op_signature(ops[1])
    assert found.operators == 4
    work = [op.macs + op.outputs[0].elements for op in ops]
    assert found.share == pytest.approx((work[0] + work[3]) / sum(work))


def test_an_empty_table_covers_nothing() -> None:
    """No row, no share."""
    found = coverage(open_imported(BOARD), Workload((conv_op("conv0", 8),)), BOARD)
    assert (found.share, len(found.missing)) == (0.0, 1)


def test_age_and_types_of_rows() -> None:
    """Types from signatures of runtimes and of our own; the call, the gauge and whole networks are none."""
    names = ["overhead", "gauge", "network ab"]
    signed = {"a": "Gemm(float32[1, 8])", "b": "Gemm(float32[1, 9])", "c": "conv out=8 fp32 f32[1x3]", "d": ""}
    rows = [row(name) for name in names] + [row(key, signature=text) for key, text in signed.items()]
    table = Table.from_rows(TableHeader("board", "", "", "", created="2026-01-01T00:00:00+00:00"), rows)
    found = extent(table, now=datetime(2026, 1, 2, tzinfo=UTC))
    assert found.operators == {"Gemm": 2, "conv": 1, "d": 1}
    assert (found.networks, found.age_s, found.calibration) == (1, 86400.0, None)
