"""The row-stationary energy model against its own formulas, its bounds and the chip."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwmodels.devices.accelerators import EYERISS, EYERISS_ARRAY, MAC_16_J
from hwmodels.energy import op_energy_j
from hwmodels.row_stationary import Levels, Split, movement_parts_j, reads, split, splits, sums
from hwmodels.traffic import operands, passes, traffic
from tests.hwmodels.ops import conv, linear

NORMALISED = Levels(register_file=1, array=2, buffer=6, dram=200)
ALEXNET = (  # the layers that the chip was measured on, batch 4
    conv("conv1", inputs=3, outputs=96, kernel=11, size=55, source=227, batch=4, bits=16),
    conv("conv2", inputs=96, outputs=256, kernel=5, size=27, groups=2, batch=4, bits=16),
    conv("conv3", inputs=256, outputs=384, size=13, batch=4, bits=16),
    conv("conv4", inputs=384, outputs=384, size=13, groups=2, batch=4, bits=16),
    conv("conv5", inputs=384, outputs=256, size=13, groups=2, batch=4, bits=16),
)


def joules(accesses: Levels) -> float:
    return sum(n * e for n, e in zip(accesses, NORMALISED, strict=True))


def test_reads_follow_the_published_formula() -> None:
    """a e_DRAM + ab e_buffer + abc e_array + abcd e_RF."""
    assert joules(reads(Split(2, 3, 5, 7))) == 2 * 200 + 6 * 6 + 30 * 2 + 210 * 1


def test_partial_sums_follow_the_published_formula() -> None:
    """(2a-1) e_DRAM + 2a(b-1) e_buffer + ab(c-1) e_array + 2abc(d-1) e_RF."""
    expected = 3 * 200 + 4 * 2 * 6 + 6 * 4 * 2 + 2 * 30 * 6 * 1
    assert joules(sums(Split(2, 3, 5, 7))) == expected


def test_a_single_use_pays_every_memory_once() -> None:
    """A weight of a linear layer at batch 1 comes all the way for one multiplication; a lone sum is only written."""
    assert joules(reads(split(1, 1, 14, 9))) == 209
    assert joules(sums(split(1, 1, 12, 12))) == 200


@given(st.floats(1, 1e6), st.integers(1, 50), st.integers(1, 14), st.integers(1, 300))
def test_a_split_accounts_for_every_use(uses: float, a: int, c: int, d: int) -> None:
    """a b c d is the number of uses, and no memory gets more than it can give."""
    s = split(uses, a, c, d)
    assert s.a * s.b * s.c * s.d == pytest.approx(uses)
    assert min(s) >= 1
    assert s.a <= a
    assert s.c <= c
    assert s.d <= d


def test_rows_of_the_kernel_map_to_rows_of_the_array() -> None:
    """3x3, 64 channels: 4 channels by 18 filters share a register file; 4 kernels fit below each other."""
    op = conv(bits=16)
    inputs, weights, outputs = splits(op, EYERISS_ARRAY, passes(op, operands(op, EYERISS), 108 << 10))
    assert (inputs.c, inputs.d) == (3, 3 * 18)
    assert (weights.c, weights.d) == (14, 56)
    assert (outputs.c, outputs.d) == (12, 3 * 4)


def test_a_narrow_image_leaves_room_for_more_filters() -> None:
    """7 columns of outputs fill half the array's width: inputs are shared by two sets of filters."""
    inputs, weights, _ = splits(conv(size=7, bits=16), EYERISS_ARRAY, (1, 1))
    assert (inputs.c, weights.c) == (3 * 2, 7)


def test_dram_sees_the_tiling_with_the_least_traffic() -> None:
    """With every other memory free, energy is what the traffic model counts: neither operand fits the buffer."""
    *on_chip, dram = EYERISS.memories
    free = replace(EYERISS, memories=(*(replace(m, energy_j_per_bit=0.0) for m in on_chip), dram))
    op, moved = ALEXNET[2], traffic(ALEXNET[2], free)
    assert moved.bits[-1] > 16 * sum(t.elements for t in (*op.inputs, *op.outputs, *op.weights))
    energy = sum(movement_parts_j(op, free, EYERISS_ARRAY, moved.operands))
    assert energy == pytest.approx(moved.bits[-1] * dram.energy_j_per_bit)


def test_alexnet_comes_near_the_chip() -> None:
    """The chip, DRAM apart: 278 mW at 34.7 frames/s = 12.0 pJ per MAC. Clocks and control aren't modelled: less."""
    *on_chip, dram = EYERISS.memories
    chip = replace(EYERISS, memories=(*on_chip, replace(dram, energy_j_per_bit=0.0)))
    macs = sum(op.macs for op in ALEXNET)
    assert macs / 4 == pytest.approx(666e6, rel=0.001)
    measured = 0.278 / 34.7 / 666e6
    assert 0.6 < sum(op_energy_j(op, chip) for op in ALEXNET) / macs / measured < 1.0


def test_batch_1_linear_layers_are_all_dram() -> None:
    """Without reuse nearly all the energy is fetching weights."""
    op = linear(inputs=4096, outputs=4096, bits=16)
    assert op.weight_bytes * 8 / 16 * 200 * MAC_16_J / op_energy_j(op, EYERISS) > 0.9
