"""Microcontrollers, modelled from datasheets: every figure of these devices is analytical, none was measured here."""

from __future__ import annotations

from hwmodels.device import Device, Memory
from hwmodels.energy import FP32_MAC_J, SRAM_1MB_J_PER_BIT, SRAM_32KB_J_PER_BIT, integer_mac_j

CLOCK_HZ = 480e6
AXI_HZ = 240e6

CORTEX_M7 = Device(
    id="cortex-m7-analytical",
    title="Cortex-M7 microcontroller, STM32H743 class, 480 MHz (analytical model)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={
        "fp32": CLOCK_HZ,  # one VFMA.F32 a cycle
        "int8": 2 * CLOCK_HZ,  # one SMLAD, two 16-bit products, a cycle; int8 is widened on the way in
    },
    mac_energy_j={"fp32": FP32_MAC_J, "int8": integer_mac_j(16, 16)},  # 40 nm part at 45 nm prices; widened to 16 bits
    memories=(
        # A 64-bit load a cycle; SRAM prices are for the nearest size in Horowitz's table.
        Memory("L1 data cache", 16 * 1024, 8 * CLOCK_HZ, SRAM_32KB_J_PER_BIT),
        # The largest of the on-chip RAMs in one piece (1 MB in all); 64-bit AXI port.
        Memory("AXI SRAM", 512 * 1024, 8 * AXI_HZ, SRAM_1MB_J_PER_BIT, holds="activations"),
        # Weights are read in place: 256-bit words with 4 wait states at 240 MHz. Priced as SRAM of its size.
        Memory("flash", 2 * 1024 * 1024, 32 * AXI_HZ / 5, SRAM_1MB_J_PER_BIT, holds="weights"),
    ),
    efficiency={
        # CMSIS-NN's CIFAR-10 network: 12.3 M MACs in 99.1 ms at 216 MHz = 0.58 MACs a cycle of the 2 at peak.
        "conv": 0.29,
        # Assumed as conv, whose inner loop they share. For fp32 this makes 3.4 cycles per MAC.
        "linear": 0.29,
        "matmul": 0.29,
        "recurrent": 0.29,
        # What is left of MobileNetV2 0.35x at 144 x 144 (23.5 M MACs, 3.6 M of them depthwise; 118 and 124 ms
        # measured on an STM32H743) once its other convolutions run at 0.29.
        "depthwise": 0.076,
        # Assumed: scalar code, about 5 cycles per element.
        "pool": 0.1,
        "norm": 0.1,
        "elementwise": 0.1,
        "softmax": 0.1,
        "quantize": 0.1,
    },
    op_overhead_s=2000 / CLOCK_HZ,  # assumed: 2,000 cycles to call a kernel and set it up
    static_power_w=275e-6 * 480 * 3.3,  # 275 uA/MHz at 3.3 V, run mode, peripherals off: most of its energy
    ram_bytes=1024 * 1024,
    flash_bytes=2 * 1024 * 1024,
    channel_multiple=4,  # CMSIS-NN's fast convolution wants input channels in fours
    sources=(
        "STMicroelectronics, DS12110, STM32H743 datasheet: 480 MHz, 2 MB flash, 1 MB RAM, 275 uA/MHz",
        "STMicroelectronics, RM0433, reference manual: bus widths, flash wait states, 512 KB AXI SRAM",
        "Lai, Suda, Chandra, CMSIS-NN, 2018, arXiv:1801.06601: 99.1 ms for 24.7 M operations at 216 MHz",
        "Lin et al., MCUNet, NeurIPS 2020, arXiv:2007.10319, and TinyEngine's table of December 2022: "
        "MobileNetV2 0.35x on an STM32H743 (CMSIS-NN takes up to 1.9 times as long as X-CUBE-AI on other networks)",
        "Horowitz, ISSCC 2014: energy of arithmetic and SRAM at 45 nm",
        "zero weights, codebooks and powers of two save flash only: the kernels are dense",
    ),
)

M4_HZ = 120e6

CORTEX_M4 = Device(
    id="cortex-m4-analytical",
    title="Cortex-M4 microcontroller, STM32L4R5 class, 120 MHz (analytical model)",
    kind="analytical",
    cost_model="roofline",
    macs_per_s={
        "fp32": M4_HZ / 3,  # VFMA.F32 takes three cycles
        "int8": 2 * M4_HZ,  # one SMLAD, two 16-bit products, a cycle; int8 is widened on the way in
    },
    mac_energy_j={"fp32": FP32_MAC_J, "int8": integer_mac_j(16, 16)},  # 90 nm part at 45 nm prices; widened
    memories=(
        # No data cache: operands come straight out of SRAM, 32 bits a cycle.
        Memory("SRAM", 640 * 1024, 4 * M4_HZ, SRAM_32KB_J_PER_BIT),
        # Weights are read in place: 128-bit words with 5 wait states. Priced as SRAM of its size.
        Memory("flash", 2 * 1024 * 1024, 16 * M4_HZ / 6, SRAM_1MB_J_PER_BIT, holds="weights"),
    ),
    efficiency={
        # MLPerf Tiny 1.0 with X-CUBE-AI: ResNet-8, 12.5 M MACs in 226.9 ms = 0.46 MACs a cycle of the 2 at peak.
        "conv": 0.23,
        # The autoencoder: 0.26 M MACs in 7.6 ms.
        "linear": 0.15,
        "matmul": 0.15,  # assumed as linear
        "recurrent": 0.15,  # assumed as linear
        # What is left of the keyword spotter's 75.1 ms once its other convolutions run at 0.23.
        "depthwise": 0.0375,
        # Assumed: scalar code, about 5 cycles per element.
        "pool": 0.1,
        "norm": 0.1,
        "elementwise": 0.1,
        "softmax": 0.1,
        "quantize": 0.1,
    },
    op_overhead_s=2000 / M4_HZ,  # assumed: 2,000 cycles to call a kernel and set it up
    # 110 uA/MHz in run mode, at 3.3 V: nearly all of its energy. MLPerf Tiny's board drew 43 to 47 mW of 1.8 V, twice
    # this current at half this voltage: that the watts agree is luck.
    static_power_w=110e-6 * 120 * 3.3,
    ram_bytes=640 * 1024,
    flash_bytes=2 * 1024 * 1024,
    channel_multiple=4,
    sources=(
        "STMicroelectronics, DS12023, STM32L4R5 datasheet: 120 MHz, 2 MB flash, 640 KB RAM, 110 uA/MHz",
        "STMicroelectronics, RM0432, reference manual: 128-bit flash words, wait states",
        "MLCommons, tiny_results_v1.0, NUCLEO-L4R5ZI with X-CUBE-AI at 1.8 V: image classification 226.9 ms and "
        "10,682 uJ, keyword spotting 75.1 ms and 3,372 uJ, visual wake words 230.5 ms and 10,067 uJ, anomaly detection "
        "7.6 ms and 323 uJ",
        "Arm, Cortex-M4 technical reference manual: cycles of SMLAD and VFMA",
        "Horowitz, ISSCC 2014: energy of arithmetic and SRAM at 45 nm",
        "zero weights, codebooks and powers of two save flash only: the kernels are dense",
    ),
)
