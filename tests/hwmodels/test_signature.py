from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodels.signature import op_signature, read_signature, signature_of
from hwmodels.workload import Op, TensorSpec
from tests.onnx_networks import conv_op, linear_op


def test_names_do_not_count() -> None:
    """Two operators that a device can't tell apart have one signature."""
    op = conv_op("conv0", 16)
    other = replace(op, name="other", reads=("a",), writes=("b",), site="weight:other", aliases=("c",))
    assert op_signature(op) == op_signature(other)


def test_the_text_is_as_documented() -> None:
    """Kind, width, precision, inputs, weights, outputs, attributes."""
    op = replace(conv_op("conv0", 16), attributes=(("groups", "1"), ("geometry", "[1, 1] 1")))
    expected = "conv out=16 fp32 f32[1x3x8x8] * f32[*x3x3x3] -> f32[1x*x8x8] {geometry=[1,1]1 groups=1}"
    assert op_signature(op) == expected


@pytest.mark.parametrize(
    "other",
    [
        conv_op("conv0", 24),
        conv_op("conv0", 16, given=4),
        conv_op("conv0", 16, bits=8),
        replace(conv_op("conv0", 16), attributes=(("groups", "2"),)),
        replace(conv_op("conv0", 16), inputs=(TensorSpec((8, 3, 8, 8)),)),
        replace(conv_op("conv0", 16), density=0.5, pattern="2:4"),
        replace(conv_op("conv0", 16), kind="linear"),
    ],
)
def test_what_a_device_can_tell_apart_counts(other: Op) -> None:
    """Widths, precision, attributes, batch, sparsity and kind each make another signature."""
    assert op_signature(other) != op_signature(conv_op("conv0", 16))


def test_width_stands_apart() -> None:
    """Operators that differ in the width of their output alone have one pattern."""
    narrow, wide = signature_of(conv_op("a", 8)), signature_of(conv_op("a", 40))
    assert narrow.pattern == wide.pattern
    assert (narrow.width, wide.width) == (8, 40)
    assert signature_of(linear_op("fc", 8, "x")).width == 10
    assert signature_of(replace(conv_op("a", 8), kind="pool", weights=())).width == 0


def test_text_is_read_back() -> None:
    """A signature from a table, whatever its blanks, is the operator's own."""
    for op in (conv_op("a", 8, bits=8), linear_op("fc", 8, "x"), replace(conv_op("a", 8), kind="pool", weights=())):
        text = op_signature(op)
        assert read_signature(f"  {text.replace(' ', '  ')} ") == signature_of(op)
        assert read_signature(text).text == text
