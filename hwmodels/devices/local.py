"""The machine that Fitwright runs on: latency is measured through onnxruntime, energy is modelled."""

from __future__ import annotations

from hwmodels.device import Device, Memory
from hwmodels.energy import (
    DRAM_J_PER_BIT,
    FP32_MAC_J,
    SRAM_1MB_J_PER_BIT,
    SRAM_32KB_J_PER_BIT,
    integer_mac_j,
)

LOCAL_ONNXRUNTIME = Device(
    id="local-onnxruntime",
    title="This machine's CPU, onnxruntime (latency measured, energy modelled)",
    kind="measured",
    cost_model="lookup",
    profiler="onnxruntime",
    # Orders of magnitude that serve to list the precisions only: latency is looked up, never computed from these.
    macs_per_s={"fp32": 1e11, "int8": 2e11},
    # Energies are those of 45 nm arithmetic and storage. No meter was read, and a whole CPU draws several times more;
    # the model ranks recipes, and holds for ratios to the untouched model rather than for joules.
    mac_energy_j={"fp32": FP32_MAC_J, "int8": integer_mac_j(8, 8)},
    memories=(
        # No bandwidths: latency isn't modelled. Capacities are those of common x86 cores (level 1 data, level 2).
        Memory("level 1", 32 * 1024, 0.0, SRAM_32KB_J_PER_BIT),
        Memory("level 2", 1024 * 1024, 0.0, SRAM_1MB_J_PER_BIT),
        Memory("DRAM", 0, 0.0, DRAM_J_PER_BIT),
    ),
    batch=1,
    threads=1,
    sources=(
        "latency: onnxruntime's CPU provider on this machine, every node of its optimised graph timed alone",
        "energy: Horowitz, Computing's energy problem, ISSCC 2014, 45 nm, 0.9 V; DRAM also Han et al., EIE, ISCA 2016",
    ),
)
