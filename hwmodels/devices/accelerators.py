"""Accelerators, modelled from papers: every figure of these devices is analytical, none was measured here."""

from __future__ import annotations

from hwmodels.device import Device, Memory, PeArray
from hwmodels.energy import DRAM_J_PER_BIT, integer_mac_j

EYERISS_ARRAY = PeArray(rows=12, columns=14, weight_words=224, input_words=12, psum_words=24)
EYERISS_HZ = 200e6
EYERISS_PEAK = EYERISS_ARRAY.rows * EYERISS_ARRAY.columns * EYERISS_HZ

# 45 nm at 0.9 V to 65 nm at 1.0 V, by the first-order rule that energy goes as C V^2 and C as the feature size.
TO_65_NM = (65 / 45) * (1.0 / 0.9) ** 2
MAC_16_J = integer_mac_j(16, 16) * TO_65_NM  # 1.6 pJ
PER_BIT_J = MAC_16_J / 16  # the papers' unit: one 16-bit access against one 16-bit MAC

EYERISS = Device(
    id="eyeriss-analytical",
    title="Eyeriss-class accelerator, 168 PEs, 200 MHz, 16-bit fixed point (analytical model)",
    kind="analytical",
    cost_model="roofline",
    # There is no floating point: a float32 network is costed as deployed in 16-bit fixed point, arithmetic and bits
    # moved alike (`storage_bits`). int8 runs at the same rate on the same array: it saves energy and traffic.
    macs_per_s={"fp32": EYERISS_PEAK, "fp16": EYERISS_PEAK, "int8": EYERISS_PEAK},
    mac_energy_j={"fp32": MAC_16_J, "fp16": MAC_16_J, "int8": integer_mac_j(8, 8) * TO_65_NM},
    memories=(
        # 1 : 2 : 6 : 200, and 1 for the MAC (Chen, Emer, Sze, ISCA 2016, table 4; Sze et al., Proc. IEEE 2017).
        Memory("register files", 512, 0.0, 1 * PER_BIT_J),
        Memory("array", 0, 0.0, 2 * PER_BIT_J),
        Memory("buffer", 108 * 1024, 0.0, 6 * PER_BIT_J),
        # 20 pJ/bit, which is also the 640 pJ per 32 bits of EIE. 64 bits wide at 60 MHz.
        Memory("DRAM", 0, 8 * 60e6, 200 * PER_BIT_J),
    ),
    array=EYERISS_ARRAY,
    storage_bits={32: 16},
    efficiency={
        # Measured on the chip: AlexNet's convolutions 34.7 x 666 M MACs/s = 0.69 of the peak, VGG-16's
        # 0.7 x 15.3 G = 0.32. Kernels of today are VGG's 3 x 3.
        "conv": 0.32,
        "linear": 0.32,  # assumed; at batch 1 the DRAM decides
        "matmul": 0.32,  # assumed
        "recurrent": 0.32,  # assumed
        # Derived: Eyeriss v2 does 1470.6 sparse MobileNets (0.5 wide, 128 x 128, 49 M MACs, 6 % of them depthwise)
        # a second, 12.6 times what the original does there, scaled to 192 PEs: 0.15 of its peak. This is what is left
        # once the rest runs at 0.32.
        "depthwise": 0.015,
    },
    # A zero stops the multiplier and the register reads behind it, and takes its cycle all the same. The chip gates on
    # zero inputs; for weights this is the energy model of Yang et al., who also keep them compressed in DRAM.
    gates={"any": 1.0},
    compressed=True,
    op_overhead_s=1e-4,  # a scan chain reconfigures the chip for every layer, in under 100 us
    sources=(
        "Chen, Krishna, Emer, Sze, Eyeriss, JSSC 52(1), 2017, doi:10.1109/JSSC.2016.2616357: 65 nm, 168 PEs, 108 KB "
        "buffer, register files of 224, 12 and 24 words, AlexNet 34.7 frames/s at 278 mW, VGG-16 0.7 frames/s",
        "Chen, Krishna, Emer, Sze, Eyeriss, ISSCC 2016: 666 M MACs (AlexNet), 15.3 G MACs (VGG-16)",
        "Chen, Emer, Sze, ISCA 2016: row-stationary dataflow, energy of each memory relative to a MAC",
        "Sze, Chen, Yang, Emer, Proc. IEEE 2017, arXiv:1703.09039",
        "Chen, Yang, Emer, Sze, Eyeriss v2, 2018, arXiv:1807.07928: MobileNet on both",
        "Yang, Chen, Sze, Energy-aware pruning, CVPR 2017, arXiv:1611.05128: energy of networks with zero weights",
        "Horowitz, ISSCC 2014: energy of arithmetic at 45 nm; Han et al., EIE, ISCA 2016: DRAM",
        "zero weights save energy and no time; codebooks and powers of two save storage only",
    ),
)

FUSION_HZ = 500e6
FUSION_UNITS = 512
WIDTHS = (2, 4, 8, 16)
"""Bits of an operand; others are carried out in the next wider one. float32 is carried out in 16 bits."""


def fused_rate(weights: int, activations: int) -> float:
    """Multiply-accumulates per second: a unit is 16 two-bit bricks, and a product takes one for each pair of two bits.

    16-bit operands pass the unit 8 bits at a time.
    """
    return FUSION_UNITS * FUSION_HZ * 16 / ((weights / 2) * (activations / 2))


def fused_energy_j(weights: int, activations: int) -> float:
    """Joules of one multiply-accumulate, with the sum of 32 bits."""
    return integer_mac_j(weights, activations)


def _name(weights: int, activations: int) -> str:
    """The key of a pair of widths, as an operator says it (hwmodels/arithmetic.py)."""
    if weights != activations:
        return f"int{weights}x{activations}"
    return f"fp{weights}" if weights >= 16 else f"int{weights}"


PAIRS = {_name(w, a): (min(w, 16), min(a, 16)) for w in (*WIDTHS, 32) for a in (*WIDTHS, 32)}
REGISTER_45_NM = integer_mac_j(16, 16) / 16
"""A register file's bit beside a 16-bit MAC, as in Eyeriss."""

BITFUSION = Device(
    id="bitfusion-analytical",
    title="Bit Fusion class accelerator, 512 fusion units, 500 MHz, operands of 2 to 16 bits (analytical model)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={key: fused_rate(*pair) for key, pair in PAIRS.items()},
    mac_energy_j={key: fused_energy_j(*pair) for key, pair in PAIRS.items()},
    memories=(
        Memory("weight buffers", 64 * 1024, 0.0, REGISTER_45_NM),  # 128 bytes beside each unit
        Memory("activation buffers", 48 * 1024, 0.0, 6 * REGISTER_45_NM),  # 32 KB in, 16 KB out; price as in Eyeriss
        Memory("DRAM", 0, 192 / 8 * FUSION_HZ, DRAM_J_PER_BIT),  # 192 bits a cycle
    ),
    storage_bits={32: 16},
    efficiency={
        # The authors' simulator, ResNet-18: 0.83 of the peak in the 3x3 convolutions of its third stage, all of it in
        # the others.
        "conv": 0.9,
        "linear": 0.9,  # at batch 1 the DRAM decides
        "matmul": 0.9,
        "recurrent": 0.9,
        "depthwise": 1 / 16,  # assumed: one row of the array
        "pool": 0.05,
        "norm": 0.05,
        "elementwise": 0.05,
        "softmax": 0.05,
        "quantize": 0.05,
    },
    op_overhead_s=2e-6,  # assumed: instructions of a block
    static_power_w=0.1,  # assumed
    sources=(
        "Sharma et al., Bit Fusion, ISCA 2018, arXiv:1712.01507: fusion units of 16 bricks, rates by both widths",
        "hsharma35/bitfusion: the authors' simulator, its configuration beside Eyeriss (16 x 32 units, 500 MHz, "
        "112 KB, 192 bits a cycle) and its results",
        "Horowitz, ISSCC 2014: energy of arithmetic and DRAM at 45 nm, the design's own process",
        "zero weights, codebooks and powers of two save storage only",
    ),
)
