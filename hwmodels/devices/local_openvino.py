"""This machine under OpenVINO: latency is measured through its CPU plugin, energy is modelled.

There are two devices, since OpenVINO doesn't compute in float32 by itself where the CPU has bfloat16 units: results of
the one are those of the network that was judged, the other is what a user of OpenVINO gets who says nothing.
"""

from __future__ import annotations

from dataclasses import replace

from hwmodels.devices.local import LOCAL_ONNXRUNTIME

LOCAL_OPENVINO = replace(
    LOCAL_ONNXRUNTIME,
    id="local-openvino",
    title="This machine's CPU, OpenVINO in float32 (latency measured, energy modelled)",
    profiler="openvino",
    precision="f32",
    sources=(
        "latency: OpenVINO's CPU plugin on this machine, every node of its compiled graph alone, told to keep float32",
        LOCAL_ONNXRUNTIME.sources[-1],
    ),
)

LOCAL_OPENVINO_BF16 = replace(
    LOCAL_OPENVINO,
    id="local-openvino-bf16",
    title="This machine's CPU, OpenVINO in the precision it takes by itself (bfloat16 where the CPU has it, so results "
    "differ a little from float32) (latency measured, energy modelled)",
    precision="",
    sources=(
        "latency: OpenVINO's CPU plugin on this machine, every node of its compiled graph alone, in its own precision",
        LOCAL_ONNXRUNTIME.sources[-1],
    ),
)
