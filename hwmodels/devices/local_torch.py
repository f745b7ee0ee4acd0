"""This machine under runtimes that don't tell their nodes: torch's inductor on the CPU, onnxruntime on a CUDA device.

Whole networks are measured, when they are first asked for (hwmodels/whole.py).
"""

from __future__ import annotations

from dataclasses import replace

from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from hwmodels.energy import FP32_MAC_J

ENERGY = LOCAL_ONNXRUNTIME.sources[-1]

LOCAL_INDUCTOR = replace(
    LOCAL_ONNXRUNTIME,
    id="local-inductor",
    title="This machine's CPU, torch.compile (inductor, C++) (whole networks measured)",
    cost_model="whole",
    profiler="inductor",
    form="pt2",
    # Float32 alone: codes of activations are refused, and weights in few bits are executed as the floats that they
    # stand for. The rate serves to list the precision and to share a network's latency out to its operators.
    macs_per_s={"fp32": 1e11},
    mac_energy_j={"fp32": FP32_MAC_J},
    sources=("latency: torch.compile with frozen weights on this machine, every network timed as a whole", ENERGY),
)

LOCAL_ONNXRUNTIME_CUDA = replace(
    LOCAL_ONNXRUNTIME,
    id="local-onnxruntime-cuda",
    title="This machine's CUDA device, onnxruntime (whole networks measured; never tried on a GPU so far)",
    cost_model="whole",
    profiler="onnxruntime-cuda",
    # As above: the CUDA provider computes in float32 what it is given with codes.
    macs_per_s={"fp32": 1e13},
    mac_energy_j={"fp32": FP32_MAC_J},
    sources=(
        "latency: onnxruntime's CUDA provider, every network timed as a whole, inputs and outputs in the CPU's memory",
        ENERGY + "; joules of the board where NVML reads them",
    ),
)
