"""Shapes and multiply-accumulates of pruned operators, against arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hwmodels.workload import Dim, Op, TensorSpec, count_macs
from tests.hwmodels.ops import conv, linear, matmul

HEADS, WIDTH = ("heads:q", 12), ("channels:q", 64)


def spec(*shape: int) -> TensorSpec:
    return TensorSpec(shape)


def product(tensor: int, axis: int, per_unit: int = 1) -> Dim:
    """An axis of heads times channels a head."""
    return Dim(tensor, axis, HEADS[0], per_unit, HEADS[1], (WIDTH,))


def query() -> Op:
    """A query projection of 197 tokens: 768 in, 12 heads of 64 out, with its bias."""
    dims = (
        Dim(0, 2, "channels:stem", 1, 768),
        Dim(2, 1, "channels:stem", 1, 768),
        product(1, 2),
        product(2, 0),
        product(3, 0),
    )
    weights = (spec(768, 768), spec(768))
    return Op("q", "linear", (spec(1, 197, 768),), (spec(1, 197, 768),), weights, 197 * 768 * 768, dims=dims)


def test_an_axis_can_follow_a_product_of_sites() -> None:
    """9 of 12 heads with 32 of 64 channels each leave 288 rows, whatever is read."""
    op = query().with_widths({"heads:q": (12, 9), "channels:q": (64, 32), "channels:stem": (768, 384)})
    assert op.weights == (spec(288, 384), spec(288))
    assert (op.inputs, op.outputs) == ((spec(1, 197, 384),), (spec(1, 197, 288),))
    assert op.macs == 197 * 288 * 384


def test_sites_that_stay_whole_multiply_as_they_were() -> None:
    """One factor alone: 5 heads of 64 are 320, 12 heads of 10 are 120."""
    assert query().with_widths({"heads:q": (12, 5)}).weights[0].shape == (320, 768)
    assert query().with_widths({"channels:q": (64, 10)}).weights[0].shape == (120, 768)
    assert query().with_widths({}) == query()


def test_segments_of_products_add_up_along_an_axis() -> None:
    """Queries, keys and values in one projection, values of another width: 3 heads of 2 x 8 + 5 are 63."""
    along = (
        Dim(2, 0, "heads:a", 2, 4, (("channels:qk", 16),)),
        Dim(2, 0, "heads:a", 1, 4, (("channels:v", 10),)),
    )
    op = Op("qkv", "linear", (spec(1, 32),), (spec(1, 168),), (spec(168, 32),), dims=along)
    op = replace(op, dims=(*along, *(replace(d, tensor=1, axis=1) for d in along)))
    made = op.with_widths({"heads:a": (4, 3), "channels:qk": (16, 8), "channels:v": (10, 5)})
    assert made.weights[0].shape == (63, 32)
    assert made.outputs[0].shape == (1, 63)
    assert made.macs == 63 * 32


def test_sites_are_named_once_and_in_order() -> None:
    """Those of products included."""
    assert query().dims[2].sites == ("heads:q", "channels:q")
    assert query().sites == ("channels:stem", "heads:q", "channels:q")


def test_a_grouped_convolution_counts_what_a_group_sees() -> None:
    """6 of 8 groups with 4 of 8 inputs a group: 3x3 x 4 for each of 48 outputs at 14 x 14 places."""
    grouped = conv(inputs=64, outputs=64, groups=8, size=14)
    groups, into, out = ("groups:c", 8), ("channels:a", 8), ("channels:b", 8)
    dims = (Dim(0, 1, groups[0], 1, 8, (into,)), Dim(1, 1, groups[0], 1, 8, (out,)))
    weight = (Dim(2, 0, groups[0], 1, 8, (out,)), Dim(2, 1, into[0], 1, 8))
    made = replace(grouped, dims=dims + weight).with_widths({"groups:c": (8, 6), "channels:a": (8, 4)})
    assert made.weights[0].shape == (48, 4, 3, 3)
    assert made.inputs[0].shape == (1, 24, 14, 14)
    assert made.macs == 14 * 14 * 48 * 4 * 9


@pytest.mark.parametrize(("kept", "macs"), [(12, 12 * 50 * 50 * 128), (5, 5 * 50 * 50 * 128)])
def test_attention_multiplies_with_keys_and_values(kept: int, macs: int) -> None:
    """Heads x queries x keys x (width of keys + width of values)."""
    sides = spec(1, 12, 50, 64)
    dims = tuple(Dim(t, 1, "heads:q", 1, 12) for t in range(4))
    attributes = (("op", "scaled_dot_product_attention.default"),)
    op = Op("a", "matmul", (sides, sides, sides), (sides,), dims=dims, attributes=attributes)
    assert op.with_widths({"heads:q": (12, kept)}).macs == macs


def test_attention_widths_of_keys_and_values_count_apart() -> None:
    """16 of 64 for queries and keys, 48 of 64 for values, 70 keys: 2 x 50 x 70 x (16 + 48)."""
    inputs = (spec(1, 2, 50, 64), spec(1, 2, 70, 64), spec(1, 2, 70, 64))
    dims = (Dim(0, 3, "channels:q", 1, 64), Dim(1, 3, "channels:q", 1, 64), Dim(2, 3, "channels:v", 1, 64))
    op = Op("a", "attention", inputs, (spec(1, 2, 50, 64),), dims=(*dims, Dim(3, 3, "channels:v", 1, 64)))
    made = op.with_widths({"channels:q": (64, 16), "channels:v": (64, 48)})
    assert made.macs == 2 * 50 * 70 * 64
    assert made.outputs[0].shape == (1, 2, 50, 48)


def test_a_product_of_matrices_counts_what_it_sums_over() -> None:
    """The inner length halves: so does the count, though the result keeps its shape."""
    op = replace(
        matmul(rows=6, inner=32, columns=10), dims=(Dim(0, 2, "channels:a", 1, 32), Dim(1, 1, "channels:a", 1, 32))
    )
    made = op.with_widths({"channels:a": (32, 16)})
    assert (made.macs, made.outputs[0].shape) == (6 * 16 * 10, (1, 6, 10))


@pytest.mark.parametrize("left", [True, False])
def test_a_constant_may_be_either_side_of_a_product(left: bool) -> None:
    """[9, 5] x [5, 7] and [7, 5] x [5, 9], of which one side is a parameter."""
    value, weight = (spec(1, 5, 9), spec(7, 5)) if left else (spec(1, 9, 5), spec(5, 7))
    out = spec(1, 7, 9) if left else spec(1, 9, 7)
    op = Op("m", "matmul", (value,), (out,), (weight,), macs=1)
    assert count_macs(op, op) == 9 * 5 * 7


def test_a_recurrent_layer_counts_its_matrices_once_a_step() -> None:
    """An LSTM of 16 units that reads 10, for 4 x 25 steps: 4 gates x (input + hidden) x hidden each."""
    weights = (spec(64, 10), spec(64, 16), spec(64), spec(64))
    hidden = ("channels:rnn", 16)
    dims: tuple[Dim, ...] = (Dim(1, 2, hidden[0], 1, 16), Dim(2, 0, hidden[0], 4, 16), Dim(3, 0, hidden[0], 4, 16))
    dims += (Dim(3, 1, hidden[0], 1, 16), Dim(4, 0, hidden[0], 4, 16), Dim(5, 0, hidden[0], 4, 16))
    op = Op("rnn", "recurrent", (spec(4, 25, 10),), (spec(4, 25, 16),), weights, dims=dims)
    assert count_macs(op, op) == 100 * 4 * 16 * (10 + 16)
    made = op.with_widths({"channels:rnn": (16, 6)})
    assert made.macs == 100 * 4 * 6 * (10 + 6)
    assert made.weights[1].shape == (24, 6)


def test_other_operators_count_in_proportion() -> None:
    """Half of what is read and written, half of the work; layers keep their exact rule."""
    op = Op("n", "norm", (spec(1, 8),), (spec(1, 8),), macs=80, dims=(Dim(0, 1, "c", 1, 8), Dim(1, 1, "c", 1, 8)))
    assert op.with_widths({"c": (8, 4)}).macs == 40
    assert count_macs(linear(), linear()) == 800 * 500


def test_an_equation_counts_every_combination_of_its_letters() -> None:
    """b=2, i=3, j=4 of 8 kept, k=5; without the equation it is only a guess."""
    dims = (Dim(0, 2, "c", 1, 8), Dim(1, 1, "c", 1, 8))
    attributes = (("op", "einsum.default"), ("equation", "bij, bjk -> bik"))
    op = Op("e", "matmul", (spec(2, 3, 8), spec(2, 8, 5)), (spec(2, 3, 5),), dims=dims, attributes=attributes)
    assert op.with_widths({"c": (8, 4)}).macs == 2 * 3 * 4 * 5
