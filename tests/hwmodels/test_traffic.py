"""Bits moved, against the rules that the module states."""

from dataclasses import replace

from hwmodels.device import Device, Memory
from hwmodels.traffic import operands, passes, traffic, traffic_time_s
from hwmodels.workload import Op, TensorSpec
from tests.hwmodels.ops import conv, linear, matmul, plain


def device(*memories: Memory) -> Device:
    return Device("toy", "", "analytical", "roofline", {}, {}, memories)


def cached(capacity_bytes: int) -> Device:
    """A cache in front of a memory that takes a second per byte."""
    return device(Memory("cache", capacity_bytes, 0, 0), Memory("dram", 0, 1, 0))


ROOMY = cached(0)


def test_each_tensor_passes_once_where_it_fits() -> None:
    """With a large enough buffer DRAM sees every byte once."""
    assert traffic(conv(), ROOMY).bits[1] == 8 * (36_864 + 2 * 200_704)


def test_every_mac_reads_both_operands_from_the_innermost_memory() -> None:
    """The innermost memory serves the arithmetic on top of what passes through it."""
    op = linear(inputs=10, outputs=4)
    assert traffic(op, ROOMY).bits[0] == 40 * 16 + 8 * (10 + 40 + 4)


def test_an_oversized_operand_makes_the_other_be_read_per_tile() -> None:
    """Neither side fits: the tiling that moves fewer bits is chosen."""
    op = matmul(rows=100, inner=10, columns=40)
    small = cached(200)  # 1000 bytes left in 5 tiles: 3000 read; 400 bytes right in 2 tiles: 2400 read
    assert passes(op, operands(op, small), 200) == (2, 1)
    assert traffic(op, small).bits[1] == 8 * (2 * 1000 + 400 + 4000)


def test_groups_meet_only_their_own_share() -> None:
    """A depthwise convolution needs one channel at a time in the buffer, so nothing is read twice."""
    op = conv(inputs=64, groups=64)
    assert traffic(op, cached(256)).bits[1] == 8 * (576 + 2 * 200_704)


def test_recurrent_weights_that_do_not_fit_are_read_for_every_step() -> None:
    """Steps depend on each other, so weights can't wait for all of them."""
    lstm = Op("lstm", "recurrent", (TensorSpec((7, 8), 8),), (TensorSpec((7, 8), 8),), (TensorSpec((32, 16), 8),), 3584)
    assert traffic(lstm, cached(256)).bits[1] == 8 * (56 + 7 * 512 + 56)
    assert traffic(lstm, cached(512)).bits[1] == 8 * (56 + 512 + 56)


def test_a_lookup_reads_rows_not_the_table() -> None:
    """An embedding of 4 of 10,000 rows moves 4 rows."""
    table = TensorSpec((10_000, 16), 32)
    op = Op("embed", "embedding", (TensorSpec((4,), 64),), (TensorSpec((4, 16), 32),), (table,))
    assert traffic(op, ROOMY).bits[1] == 4 * 64 + 2 * 4 * 16 * 32


def test_weights_and_activations_take_their_own_ways() -> None:
    """Flash carries weights only, RAM activations only; both start from the cache."""
    split = device(
        Memory("cache", 16, 0, 0),
        Memory("ram", 0, 0, 0, holds="activations"),
        Memory("flash", 0, 0, 0, holds="weights"),
    )
    _, ram, flash = traffic(linear(inputs=100, outputs=10), split).bits
    assert (ram, flash) == (8 * (100 + 10), 8 * 7 * 1000)  # 100 bytes of inputs are kept in 7 tiles


def test_two_activations_both_pass_the_activation_memory() -> None:
    """Without weights the second operand is an activation like the first."""
    ram = device(Memory("cache", 0, 0, 0), Memory("ram", 0, 0, 0, holds="activations"))
    assert traffic(matmul(rows=4, inner=5, columns=6), ram).bits[1] == 8 * (20 + 30 + 24)


def test_bits_follow_the_width_that_the_device_stores() -> None:
    """float32 moves as 16 bits where that is what the device keeps."""
    op = plain("relu", "elementwise", (1, 10), bits=32)
    assert traffic(op, replace(ROOMY, storage_bits={32: 16})).bits[1] == 2 * 10 * 16


def test_the_slowest_memory_sets_the_time() -> None:
    """A memory without a bandwidth is never the bottleneck."""
    both = device(Memory("a", 0, 0, 0), Memory("b", 0, 10, 0), Memory("c", 0, 2, 0))
    assert traffic_time_s(traffic(plain("copy", "data", (1, 30)), both), both) == 30.0
    assert traffic_time_s(traffic(plain("copy", "data", (1, 30)), device()), device()) == 0.0
