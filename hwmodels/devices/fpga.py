"""FPGAs, modelled from datasheets and papers: every figure of these devices is analytical, none was measured here."""

from __future__ import annotations

from hwmodels.device import Device, Memory
from hwmodels.energy import DRAM_J_PER_BIT, INT32_ADD_J, SRAM_32KB_J_PER_BIT, integer_mac_j

HZ = 214e6
DSPS = 220
LUTS = 53_200
FABRIC = 14.0
"""How much more a function draws in look-up tables than as a circuit, on average (Kuon, Rose)."""
HARD = 7.0
"""The same of hard blocks with the wires between them: assumed half."""

LUT_SHARE = 0.4
"""Of the look-up tables that shift-add units can have; the rest moves data. Assumed."""


def shift_units(bits: int) -> float:
    """Shift-add units that fit, for activations of so many bits.

    A shifter of 8 positions takes 3 multiplexers a bit, two to a LUT; a sum three times as wide a LUT a bit.
    """
    return LUTS * LUT_SHARE / (bits * 3 / 2 + 3 * bits)


def shift_add_j(bits: int) -> float:
    """Joules of one shift and addition, the shift priced as a second addition."""
    return 2 * INT32_ADD_J * 2 * bits / 32 * FABRIC


ZYNQ = Device(
    id="zynq-fpga-analytical",
    title="Zynq-7020 class FPGA, 214 MHz, DSP blocks for int8, LUTs for shift-add (analytical model)",
    kind="analytical",
    cost_model="roofline",
    # A float32 network is costed as deployed in 16-bit fixed point (`storage_bits`). A DSP block does one product up to
    # 18 x 25 bits a cycle, so int8 saves memory and no time; weights that are powers of two need no product at all.
    macs_per_s={
        "fp32": DSPS * HZ,
        "fp16": DSPS * HZ,
        "int8": DSPS * HZ,
        "shift32": shift_units(16) * HZ,
        "shift16": shift_units(16) * HZ,
        "shift8": shift_units(8) * HZ,
    },
    mac_energy_j={
        "fp32": integer_mac_j(16, 16) * HARD,
        "fp16": integer_mac_j(16, 16) * HARD,
        "int8": integer_mac_j(8, 8) * HARD,
        "shift32": shift_add_j(16),
        "shift16": shift_add_j(16),
        "shift8": shift_add_j(8),
    },
    memories=(
        Memory("registers", 0, 0.0, INT32_ADD_J / 32),  # beside the adders: assumed
        Memory("block RAM", 140 * 36 * 1024 // 8, 0.0, SRAM_32KB_J_PER_BIT),
        Memory("DRAM", 0, 4.2e9, DRAM_J_PER_BIT),  # DDR3, 32 bits at 1066 MT/s
    ),
    efficiency={
        # Assumed: four fifths of the units busy in convolutions, none of it fitted.
        "conv": 0.8,
        "linear": 0.8,  # at batch 1 the DRAM decides
        "matmul": 0.8,
        "recurrent": 0.5,
        "depthwise": 0.1,  # assumed
        "pool": 0.1,
        "norm": 0.1,
        "elementwise": 0.1,
        "softmax": 0.02,
        "quantize": 0.1,
    },
    storage_bits={32: 16},
    op_overhead_s=2e-5,  # assumed: instructions of a layer
    static_power_w=2.5,  # assumed: of the 3.5 W that the board draws under load
    ram_bytes=1024**3,
    sources=(
        "Xilinx, DS190, Zynq-7000 overview: XC7Z020 with 220 DSP blocks, 53,200 LUTs, 4.9 Mb block RAM",
        "Guo et al., Angel-Eye, IEEE TCAD 37(1), 2018, doi:10.1109/TCAD.2017.2705069: 84.3 GOP/s on VGG-16 in 8 bits "
        "at 214 MHz and 3.5 W on an XC7Z020",
        "Chang et al., Mix and match, HPCA 2021, arXiv:2012.04240: 2.1 to 4.1 times the rate of the DSP blocks alone, "
        "by giving powers of two to LUTs",
        "Kuon, Rose, Measuring the gap between FPGAs and ASICs, IEEE TCAD 26(2), 2007: dynamic power",
        "Horowitz, ISSCC 2014: energy of arithmetic, SRAM and DRAM at 45 nm",
        "zero weights and codebooks save storage only",
    ),
)
