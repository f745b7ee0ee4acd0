"""The CUDA device where there is none: what is missing is said, and nothing runs on the CPU in its stead."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from hwmodels.base import MeasurementFailed, MissingRuntime
from hwmodels.catalogue import device
from hwmodels.profilers.onnxruntime_cuda import OnnxRuntimeCudaProfiler
from search.devices import open_hardware
from tests.onnx_networks import convolutional

DEVICE = device("local-onnxruntime-cuda")


def has_provider() -> bool:
    try:
        return bool(version("onnxruntime-gpu"))
    except PackageNotFoundError:
        return False


def test_what_is_missing_is_named_when_the_device_is_opened() -> None:
    """The package that brings the provider, and the hardware."""
    if not has_provider():
        with pytest.raises(MissingRuntime, match=r"pip install onnxruntime-gpu, on a machine with a CUDA device"):
            open_hardware(DEVICE)


def test_the_process_that_measures_refuses_as_well() -> None:
    """Whatever its starter believes: without the provider or a device no figure comes back."""
    profiler = OnnxRuntimeCudaProfiler()
    if not has_provider():
        with pytest.raises(MeasurementFailed, match=r"no CUDAExecutionProvider: pip install onnxruntime-gpu"):
            profiler.measure([convolutional()], DEVICE)
    profiler.close()


def test_it_says_that_it_was_never_tried() -> None:
    """In the title, where whoever chooses a device reads it."""
    assert "never tried on a GPU" in DEVICE.title
    assert DEVICE.cost_model == "whole"
