"""Server GPUs, modelled from published specifications and runs: every figure is analytical, none was measured here."""

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

SHRINK = 1 / 4
"""7 nm against the 45 nm of Horowitz's table: assumed."""

A100 = Device(
    id="a100-analytical",
    title="A100 class server GPU, 40 GB, tensor cores with 2:4 sparsity (analytical model)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={"fp32": 19.5e12 / 2, "fp16": 312e12 / 2, "int8": 624e12 / 2},  # operations are two to a MAC
    mac_energy_j={"fp32": FP32_MAC_J * SHRINK, "fp16": FP16_MAC_J * SHRINK, "int8": integer_mac_j(8, 8) * SHRINK},
    memories=(
        Memory("registers", 108 * 256 * 1024, 0.0, SRAM_32KB_J_PER_BIT * SHRINK),
        Memory("L2 cache", 40 * 1024 * 1024, 0.0, SRAM_1MB_J_PER_BIT * SHRINK),
        Memory("HBM2", 0, 1555e9, DRAM_J_PER_BIT / 5),  # about 4 pJ/bit, O'Connor et al., MICRO 2017
    ),
    efficiency={
        # BERT-Large, 384 tokens, batch 128: 163.7 ms in float16, 89.0 ms in int8.
        "conv": 0.6,  # assumed as linear
        "linear": 0.67,
        "linear/int8": 0.61,
        "matmul": 0.67,
        "matmul/int8": 0.61,
        "recurrent": 0.05,  # assumed
        "depthwise": 0.01,  # assumed: no use for tensor cores
        "depthwise/fp32": 0.08,
        "pool": 0.02,
        "norm": 0.02,
        "elementwise": 0.02,
        "softmax": 0.02,
        "quantize": 0.02,
    },
    op_overhead_s=4e-6,  # assumed: one kernel launch inside a graph
    static_power_w=250.0,  # assumed, of 400 W
    ram_bytes=40 * 10**9,
    channel_multiple=16,
    # The datasheet doubles the rate for 2:4 zeros. A whole network gains far less: BERT-Large with sparse weights takes
    # 84.9 ms where the dense one takes 89.0 (384 tokens, batch 128), a tenth of what the zeros would save.
    skips={"2:4": 0.1},
    sources=(
        "NVIDIA, A100 datasheet: 312 TFLOPS float16, 624 TOPS int8, 19.5 TFLOPS float32, 1555 GB/s, 40 MB L2, 400 W",
        "NVIDIA, TensorRT, demo/BERT: latencies of BERT-Base, BERT-Large and Megatron-Large with 2:4 zeros on an A100",
        "Mishra et al., Accelerating sparse deep neural networks, 2021, arXiv:2104.08378",
        "O'Connor et al., Fine-grained DRAM, MICRO 2017: HBM2 at 3.9 pJ/bit",
        "Horowitz, ISSCC 2014: energies at 45 nm, a quarter of which is assumed at 7 nm",
        "zeros in other patterns, codebooks and powers of two save storage only",
    ),
)
