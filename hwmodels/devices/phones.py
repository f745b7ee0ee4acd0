"""Phones, modelled from published specifications and runs: every figure is analytical, none was measured here."""

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

LITE = (
    "EfficientNet-lite, README of tensorflow/tpu, 2020: lite0 to lite4 on a Pixel 4, batch 1, four CPU threads "
    "(float32 12 to 76 ms, int8 6.5 to 30 ms), GPU (float32 9 to 36 ms, float16 6 to 21 ms)"
)
BIG_HZ = 2.84e9 + 3 * 2.42e9
"""The big cores of a Snapdragon 855, added up."""
GPU_FMA_PER_S = 449e9
"""Adreno 640: 768 lanes at 585 MHz."""
SHRINK = 1 / 4
"""7 nm against the 45 nm of Horowitz's table: assumed."""

PHONE_CPU = Device(
    id="phone-cpu-analytical",
    title="Phone CPU, four Cortex-A76 class cores, 2.4 to 2.8 GHz, NEON with dot products (analytical model)",
    kind="analytical",
    cost_model="roofline",
    # Two 128-bit pipes a core: 8 float32 or 16 float16 fused multiply-adds, 32 int8 products by SDOT, a cycle.
    macs_per_s={"fp32": 8 * BIG_HZ, "fp16": 16 * BIG_HZ, "int8": 32 * BIG_HZ},
    mac_energy_j={"fp32": FP32_MAC_J * SHRINK, "fp16": FP16_MAC_J * SHRINK, "int8": integer_mac_j(8, 8) * SHRINK},
    memories=(
        # Two 128-bit loads a cycle and core; 64 KB and 256 KB a core, 512 KB the fastest, 2 MB shared. L2 and L3
        # bandwidths are assumed.
        Memory("L1 data caches", 4 * 64 * 1024, 32 * BIG_HZ, SRAM_32KB_J_PER_BIT * SHRINK),
        Memory("L2 caches", (512 + 3 * 256) * 1024, 16 * BIG_HZ, SRAM_1MB_J_PER_BIT * SHRINK),
        Memory("L3 cache", 2 * 1024 * 1024, 50e9, SRAM_1MB_J_PER_BIT * SHRINK),
        Memory("DRAM", 0, 34.1e9, DRAM_J_PER_BIT / 4),  # LPDDR4X, 4 x 16 bit at 2133 MHz; about 5 pJ/bit, assumed
    ),
    efficiency={
        # EfficientNet-lite0: 12 ms in float32 and 6.5 ms in int8, with the overhead below.
        "conv": 0.47,
        "conv/int8": 0.3,
        # Assumed as conv, whose inner loops they share.
        "linear": 0.47,
        "linear/int8": 0.3,
        "matmul": 0.47,
        "recurrent": 0.2,
        # Assumed: no reuse across channels, half the rate and less in int8, where SDOT has no use.
        "depthwise": 0.2,
        "depthwise/int8": 0.08,
        # Assumed: elementwise code of a few instructions.
        "pool": 0.1,
        "norm": 0.1,
        "elementwise": 0.1,
        "softmax": 0.05,
        "quantize": 0.1,
    },
    op_overhead_s=25e-6,  # assumed: waking four threads for a kernel
    static_power_w=4.0,  # assumed: four big cores at full load
    threads=4,
    channel_multiple=8,
    sources=(
        LITE,
        "Arm, Cortex-A76 software optimization guide: two ASIMD pipes, SDOT four products per 32-bit lane",
        "Qualcomm, Snapdragon 855: 1 x 2.84 GHz and 3 x 2.42 GHz Kryo 485 Gold (Cortex-A76), LPDDR4X 4 x 16 bit",
        "Horowitz, ISSCC 2014: energies at 45 nm, a quarter of which is assumed at 7 nm",
        "zero weights, codebooks and powers of two save storage only: dense kernels compute them all",
    ),
)

PHONE_GPU = Device(
    id="phone-gpu-analytical",
    title="Phone GPU, Adreno 640 class, 585 MHz (analytical model)",
    kind="analytical",
    cost_model="roofline",
    # No int8: TensorFlow Lite's GPU delegate computes 8-bit networks in floating point, so rounding brings nothing.
    macs_per_s={"fp32": GPU_FMA_PER_S, "fp16": 2 * GPU_FMA_PER_S},
    mac_energy_j={"fp32": FP32_MAC_J * SHRINK, "fp16": FP16_MAC_J * SHRINK},
    memories=(
        Memory("registers", 768 * 1024, 0.0, SRAM_32KB_J_PER_BIT * SHRINK),  # size assumed
        Memory("GMEM", 1024 * 1024, 0.0, SRAM_1MB_J_PER_BIT * SHRINK),
        Memory("DRAM", 0, 34.1e9, DRAM_J_PER_BIT / 4),
    ),
    efficiency={
        # EfficientNet-lite0: 9 ms in float32, 6 ms in float16, with the overhead below.
        "conv": 0.23,
        "conv/fp16": 0.22,
        "linear": 0.05,  # assumed: a vector times a matrix
        "matmul": 0.2,
        "recurrent": 0.05,
        "depthwise": 0.05,  # assumed
        "pool": 0.1,
        "norm": 0.1,
        "elementwise": 0.1,
        "softmax": 0.05,
        "quantize": 0.1,
    },
    op_overhead_s=75e-6,  # assumed: one kernel in a command queue
    static_power_w=3.0,  # assumed
    channel_multiple=4,  # textures hold four channels
    sources=(
        LITE,
        "Qualcomm, Adreno 640: 898.6 GFLOPS in float32, twice that in float16, 1 MB GMEM",
        "Horowitz, ISSCC 2014: energies at 45 nm, a quarter of which is assumed at 7 nm",
        "Lee et al., On-device neural net inference with mobile GPUs, 2019, arXiv:1907.01989",
        "zero weights, codebooks and powers of two save storage only",
    ),
)
