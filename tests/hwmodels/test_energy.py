"""Energy against published constants and a worked example."""

import pytest

from hwmodels.arithmetic import mac_energy_j
from hwmodels.base import UnsupportedOp
from hwmodels.device import Device, Memory
from hwmodels.energy import DRAM_J_PER_BIT, FP32_MAC_J, integer_mac_j, op_energy_j
from tests.hwmodels.ops import conv, plain

DRAM_ONLY = Device(
    id="dram-only",
    title="int8 arithmetic and DRAM; on-chip memory is free and as large as needed",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={"int8": 1.0},
    mac_energy_j={"int8": integer_mac_j(8, 8)},
    memories=(Memory("sram", 0, 0, 0), Memory("dram", 0, 0, DRAM_J_PER_BIT)),
)


def test_a_convolution_costs_what_the_worked_example_says() -> None:
    """3x3, 64 to 64 channels, 56x56, int8: 115.6 M MACs take 34.7 uJ, 438,272 bytes of DRAM 70 uJ."""
    op = conv(inputs=64, outputs=64, kernel=3, size=56)
    arithmetic = op.macs * mac_energy_j(op, DRAM_ONLY)
    assert op.macs == 115_605_504
    assert op.weight_bytes + op.activation_bytes == 438_272
    assert arithmetic == pytest.approx(34.7e-6, rel=0.001)
    assert op_energy_j(op, DRAM_ONLY) - arithmetic == pytest.approx(70e-6, rel=0.002)


def test_most_of_that_dram_energy_is_activations() -> None:
    """64 of the 70 uJ: with on-chip memory left out, narrowing activations can beat cutting MACs."""
    relu = plain("relu", "elementwise", (1, 64, 56, 56))
    assert op_energy_j(relu, DRAM_ONLY) == pytest.approx(64e-6, rel=0.005)


@pytest.mark.parametrize(
    ("bits", "published_pj"),
    [(8, 0.2), (32, 3.1)],
    ids=["int8", "int32"],
)
def test_the_multiplier_law_meets_the_table(bits: int, published_pj: float) -> None:
    """Width times width fits Horowitz's multipliers: exact at 8 bits, 3.2 for 3.1 pJ at 32."""
    multiply_j = integer_mac_j(bits, bits, accumulator_bits=0)
    assert multiply_j == pytest.approx(published_pj * 1e-12, rel=0.04)


def test_energy_grows_with_both_widths_and_the_accumulator() -> None:
    """Each factor of the law counts: 8x8 with a 32-bit sum is 0.3 pJ, a fifteenth of float32."""
    assert integer_mac_j(8, 8) == pytest.approx(0.3e-12)
    assert integer_mac_j(4, 8) == pytest.approx(0.2e-12)
    assert integer_mac_j(8, 8, accumulator_bits=64) == pytest.approx(0.4e-12)
    assert FP32_MAC_J / integer_mac_j(8, 8) == pytest.approx(15.3, abs=0.1)


def test_arithmetic_that_the_device_lacks_is_refused() -> None:
    """No figure is made up for a precision without one."""
    with pytest.raises(UnsupportedOp, match=r"conv \(conv\) computes in fp32, which dram-only doesn't have; .* int8"):
        op_energy_j(conv(bits=32), DRAM_ONLY)


def test_moving_data_needs_no_arithmetic() -> None:
    """A concatenation of int64 indices costs its traffic on a device without such arithmetic."""
    op = plain("cat", "data", (1, 10), bits=64)
    assert op_energy_j(op, DRAM_ONLY) == pytest.approx(2 * 640 * DRAM_J_PER_BIT)
