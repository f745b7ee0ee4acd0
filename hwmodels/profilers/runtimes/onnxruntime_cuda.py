"""onnxruntime on a CUDA device in the measuring process. What the device can't do is refused, not run on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwmodels.base import MeasurementFailed
from hwmodels.onnx_runtime import ort
from hwmodels.profilers.runtimes.onnxruntime import BATCH_DIM, bound_run

PROVIDER = "CUDAExecutionProvider"


def open_run(program: bytes, settings: Mapping[str, Any]) -> Callable[[], None]:
    """One inference per call of an ONNX program, copies to the device and back included; `settings` holds the batch.

    Raises MeasurementFailed without the provider or a device.
    """
    if PROVIDER not in ort.get_available_providers():
        raise MeasurementFailed(
            f"this onnxruntime has no {PROVIDER}: pip install onnxruntime-gpu, on a machine with a CUDA device"
        )
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_free_dimension_override_by_name(BATCH_DIM, settings["batch"])
    session = ort.InferenceSession(program, options, providers=[PROVIDER])
    if PROVIDER not in session.get_providers():
        raise MeasurementFailed("onnxruntime found no CUDA device, or not the CUDA and cuDNN libraries that it needs")
    return bound_run(session)
