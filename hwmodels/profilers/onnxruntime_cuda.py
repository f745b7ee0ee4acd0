"""The `onnxruntime-cuda` profiler: times whole networks on a CUDA device. It was written without one and never run."""

from __future__ import annotations

from hwmodels.profilers.timed import Timed


class OnnxRuntimeCudaProfiler(Timed):
    """onnxruntime with its CUDA provider. Raises MissingRuntime without onnxruntime-gpu, MeasurementFailed where no
    device answers; nothing is ever timed on the CPU in its stead."""

    name = "onnxruntime-cuda"
