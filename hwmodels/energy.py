"""Energy of an operator: arithmetic by bit-width, plus every bit moved, priced by the memory that it moves through.

E = MACs * e_mac(precision) + sum over memories of bits moved * energy per bit. What a device draws whatever it does
(`Device.static_power_w`) is added by the cost model, which knows the latency. Where the device gates zero weights,
only the others' multiply-accumulates and operand reads count (Yang, Chen, Sze, "Designing energy-efficient
convolutional neural networks using energy-aware pruning", CVPR 2017, arXiv:1611.05128).

All constants are for 45 nm at 0.9 V: M. Horowitz, "Computing's energy problem (and what we can do about it)",
ISSCC 2014. They say what arithmetic and storage cost, not what a whole chip draws: clocks, control and leakage are
left out.
"""

from __future__ import annotations

from hwmodels.arithmetic import energy_share, mac_energy_j
from hwmodels.device import Device
from hwmodels.row_stationary import movement_parts_j
from hwmodels.traffic import MOVERS, TILED, Traffic, traffic
from hwmodels.workload import Op

INT8_MULTIPLY_J = 0.2e-12
INT32_ADD_J = 0.1e-12
FP16_MAC_J = 1.5e-12  # 1.1 to multiply, 0.4 to add
FP32_MAC_J = 4.6e-12  # 3.7 to multiply, 0.9 to add

SRAM_32KB_J_PER_BIT = 20e-12 / 64  # 20 pJ for a 64-bit access
SRAM_1MB_J_PER_BIT = 100e-12 / 64
DRAM_J_PER_BIT = 640e-12 / 32  # the low end of 1.3 to 2.6 nJ for 64 bits; also in Han et al., EIE, ISCA 2016


def integer_mac_j(weight_bits: int, activation_bits: int, accumulator_bits: int = 32) -> float:
    """Energy of one integer multiply-accumulate.

    A multiplier is an array of one-bit products, so it grows with both widths: 0.2 pJ * bw * ba / 64 (3.2 pJ at
    32 x 32 bits where the table has 3.1). An adder grows with its width: 0.1 pJ * bits / 32.
    """
    return INT8_MULTIPLY_J * weight_bits * activation_bits / 64 + INT32_ADD_J * accumulator_bits / 32


def op_energy_j(op: Op, device: Device, moved: Traffic | None = None) -> float:
    """Energy of one operator without the static share; `moved` saves counting its bits a second time.

    Convolutions and matrix products on a device with a PE array follow the row-stationary model, all else the simple
    one. Raises UnsupportedOp where the device lacks the operator's precision.
    """
    return sum(op_energy_parts(op, device, moved))


def op_energy_parts(op: Op, device: Device, moved: Traffic | None = None) -> tuple[float, ...]:
    """The same, part by part: arithmetic, then each of `device.memories`."""
    moved = moved or traffic(op, device)
    if not op.macs or op.kind in MOVERS:
        return (0.0, *(bits * memory.energy_j_per_bit for bits, memory in zip(moved.bits, device.memories)))
    share = energy_share(op, device)
    arithmetic = op.macs * share * mac_energy_j(op, device)
    if device.array is not None and op.kind in TILED:
        return (arithmetic, *movement_parts_j(op, device, device.array, moved.operands, share))
    return (arithmetic, *(bits * memory.energy_j_per_bit for bits, memory in zip(moved.bits, device.memories)))
