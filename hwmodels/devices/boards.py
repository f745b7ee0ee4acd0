"""Boards with a GPU or an accelerator, modelled from published figures: analytical, none was measured here."""

from __future__ import annotations

from hwmodels.device import Device, Memory
from hwmodels.energy import (
    DRAM_J_PER_BIT,
    FP16_MAC_J,
    FP32_MAC_J,
    SRAM_1MB_J_PER_BIT,
    SRAM_32KB_J_PER_BIT,
    integer_mac_j,
)

XAVIER_HZ = 1.377e9
TPU_HZ = 480e6
SHRINK_12 = 1 / 3
"""12 nm against the 45 nm of Horowitz's table: assumed."""
SHRINK_28 = 1 / 2
"""28 nm: assumed."""

JETSON = Device(
    id="jetson-xavier-analytical",
    title="Jetson AGX Xavier class GPU, 512 lanes, 1.38 GHz, tensor cores (analytical model)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={
        "fp32": 512 * XAVIER_HZ,
        "fp16": 64 * 64 * XAVIER_HZ,  # 64 tensor cores, 64 products a cycle each
        "int8": 64 * 128 * XAVIER_HZ,  # 22.6 TOPS
    },
    mac_energy_j={
        "fp32": FP32_MAC_J * SHRINK_12,
        "fp16": FP16_MAC_J * SHRINK_12,
        "int8": integer_mac_j(8, 8) * SHRINK_12,
    },
    memories=(
        Memory("registers", 8 * 256 * 1024, 0.0, SRAM_32KB_J_PER_BIT * SHRINK_12),
        Memory("L2 cache", 512 * 1024, 0.0, SRAM_1MB_J_PER_BIT * SHRINK_12),
        Memory("DRAM", 0, 137e9, DRAM_J_PER_BIT / 4),  # LPDDR4X, 256 bits; about 5 pJ/bit, assumed
    ),
    efficiency={
        # ResNet-50 in 2.04 ms, int8, batch 1, with the overhead below. Other precisions: assumed the same.
        "conv": 0.205,
        "linear": 0.205,
        "matmul": 0.205,
        "recurrent": 0.05,
        "depthwise": 0.01,  # assumed: no use for tensor cores
        "depthwise/fp16": 0.02,
        "depthwise/fp32": 0.08,
        "conv/fp32": 0.4,  # assumed: plain lanes are easier to fill
        "linear/fp32": 0.4,
        "matmul/fp32": 0.4,
        "pool": 0.05,
        "norm": 0.05,
        "elementwise": 0.05,
        "softmax": 0.02,
        "quantize": 0.05,
    },
    op_overhead_s=5e-6,  # assumed: one kernel launch
    static_power_w=20.0,  # assumed: of the 30 W mode
    ram_bytes=32 * 1024**3,
    channel_multiple=8,
    sources=(
        "NVIDIA, Jetson AGX Xavier module datasheet: 512 CUDA cores, 64 tensor cores, 1.377 GHz, 22.6 TOPS, 137 GB/s",
        "MLPerf Inference v0.5, closed, single stream, Jetson AGX Xavier: ResNet-50 2.04 ms, MobileNet-v1 0.58 ms",
        "Horowitz, ISSCC 2014: energies at 45 nm, a third of which is assumed at 12 nm",
        "no sparse tensor cores before Ampere: zero weights, codebooks and powers of two save storage only",
    ),
)

EDGE_TPU = Device(
    id="edge-tpu-analytical",
    title="Edge TPU class systolic array, int8 only, floats on its host's cores, 4 TOPS, 8 MB (analytical model)",
    kind="analytical",
    cost_model="roofline",
    # The array knows int8 alone. What is left in floating point runs on the host, four Cortex-A53 of 1.5 GHz.
    macs_per_s={"fp32": 4 * 4 * 1.5e9, "int8": 64 * 64 * TPU_HZ},
    mac_energy_j={"fp32": FP32_MAC_J * SHRINK_28, "int8": integer_mac_j(8, 8) * SHRINK_28},
    memories=(
        Memory("array registers", 0, 0.0, integer_mac_j(8, 8) * SHRINK_28 / 8),  # as a register file beside a MAC
        # Weights stay on the chip from call to call; they and activations are read by the row.
        Memory("SRAM", 8 * 1024 * 1024, 128 * TPU_HZ, SRAM_1MB_J_PER_BIT * SHRINK_28),
    ),
    efficiency={
        # MobileNet v1 in 2.4 ms, with the overhead and the depthwise rate below.
        "conv": 0.25,
        "conv/fp32": 0.15,  # the board's own cores: MobileNet v1 in 164 ms
        "linear": 0.25,
        "linear/fp32": 0.15,
        "matmul": 0.25,
        "matmul/fp32": 0.15,
        "recurrent": 0.1,
        "depthwise": 0.03,  # assumed: one row of the array in use, and a half
        "depthwise/fp32": 0.1,  # assumed
        "pool": 0.02,
        "norm": 0.02,
        "elementwise": 0.02,
        "softmax": 0.02,
        "quantize": 0.02,
    },
    op_overhead_s=35e-6,  # assumed: the instructions and parameters of a layer, its share of the call over USB
    static_power_w=2.0,  # half a watt for each TOPS
    flash_bytes=8 * 1024 * 1024,  # weights beyond this would come over USB for every call
    channel_multiple=64,
    sources=(
        "Coral, Edge TPU performance benchmarks: MobileNet v1 2.4 ms, MobileNet v2 2.6 ms (224 x 224, USB 3); 164 ms "
        "and 122 ms on the Dev Board's own cores",
        "Coral, USB Accelerator datasheet: 4 TOPS, 2 TOPS per watt, 8 MB SRAM; int8 only",
        "64 x 64 at 480 MHz is the common reading of 4 TOPS, not a published figure",
        "Horowitz, ISSCC 2014: energies at 45 nm, half of which is assumed at 28 nm",
        "zero weights, codebooks, powers of two and widths below 8 bits save storage only",
    ),
)
