"""This machine under LiteRT: latency is measured through its interpreter and XNNPACK, energy is modelled."""

from __future__ import annotations

from dataclasses import replace

from hwmodels.devices.local import LOCAL_ONNXRUNTIME

LOCAL_LITERT = replace(
    LOCAL_ONNXRUNTIME,
    id="local-litert",
    title="This machine's CPU, LiteRT (XNNPACK) (latency measured, energy modelled)",
    profiler="litert",
    sources=(
        "latency: LiteRT with its default delegate XNNPACK on this machine, every operator of the tflite program alone",
        LOCAL_ONNXRUNTIME.sources[-1],
    ),
)
