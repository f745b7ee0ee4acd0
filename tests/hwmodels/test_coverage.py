from __future__ import annotations

import pytest

from hwmodels.coverage import coverage
from hwmodels.imported import open_imported
from hwmodels.signature import op_signature
from hwmodels.workload import Workload
from tests.hwmodels.test_imported import BOARD, of
from tests.onnx_networks import conv_op, linear_op


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
