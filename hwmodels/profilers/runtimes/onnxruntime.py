"""onnxruntime in the measuring process: sessions on the CPU, sequential, silent, inputs and outputs bound.

Whole networks and single nodes are run through the same call, so that its overhead is the same and cancels.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.onnx_runtime import EXACT, ort
from hwmodels.profilers.aligned import aligned
from hwmodels.profilers.channel import Reply
from hwmodels.profilers.cores import pinned_threads

BATCH_DIM = "N"
"""The name that the exporter gives to the free batch dimension."""

MASKED = -1e3
"""Scores that are no higher are masked: causal masks and padding add -1e4 to minus infinity."""

_threads_here: set[int] = set()
"""With how many threads this process measures, once it has begun."""

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(uint16)": "uint16",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}


def open_run(program: bytes, settings: Mapping[str, Any]) -> Callable[[], None]:
    """One inference per call of an ONNX program; `settings` holds batch, threads and whether to `optimise`."""
    _begin(settings["threads"])
    return bound_run(open_session(program, settings["batch"], settings["optimise"]))


def look(header: Mapping[str, Any], blobs: Sequence[bytes]) -> Reply:
    """What the runtime makes of a program: its `optimised` form, or the `values` of its outputs in one run.

    Mostly only type and shape are told; indices, shapes and masks come as bytes, and where numbers are masked as bits.
    """
    return _LOOKS[header["what"]](header, blobs[0])


def _optimised(header: Mapping[str, Any], program: bytes) -> Reply:
    with tempfile.TemporaryDirectory(prefix="fitwright-") as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(program, header["batch"], optimise=True, save_to=str(path))
        return {}, [path.read_bytes()]


def _values(header: Mapping[str, Any], program: bytes) -> Reply:
    session = open_session(program, header["batch"], optimise=False)
    given = sample_inputs(session)
    names = [output.name for output in session.get_outputs()]
    found = given | dict(zip(names, session.run(names, given)))
    for name, value in found.items():
        if not isinstance(value, np.ndarray):
            raise UnsupportedOp(f"activation {name} is a {type(value).__name__}; only tensors can be measured")
    kinds = [_kind(value) for value in found.values()]
    told = [{"name": n, "dtype": v.dtype.name, "shape": list(v.shape)} | k for (n, v), k in zip(found.items(), kinds)]
    return {"values": told}, [_kept(v, k) for v, k in zip(found.values(), kinds) if any(k.values())]


def _kind(value: NDArray[Any]) -> dict[str, bool]:
    return {"index": is_index(value), "masked": bool(masked(value).any())}


def _kept(value: NDArray[Any], kind: Mapping[str, bool]) -> bytes:
    return value.tobytes() if kind["index"] else np.packbits(masked(value)).tobytes()


def is_index(value: NDArray[Any]) -> bool:
    """Indices, shapes and masks keep the values that they had: made-up ones could be out of range."""
    return value.dtype.kind == "b" or (value.dtype.kind in "iu" and value.dtype.itemsize > 1)


def masked(value: NDArray[Any]) -> NDArray[np.bool_]:
    """Where numbers are so low that a softmax makes nothing of them."""
    return value <= MASKED if value.dtype.kind == "f" else np.zeros(1, np.bool_)


_LOOKS = {"optimised": _optimised, "values": _values}


def open_session(program: bytes, batch: int, optimise: bool, save_to: str = "") -> Any:
    """An onnxruntime session with every optimisation or with none; `save_to` receives the optimised model."""
    options = ort.SessionOptions()
    options.log_severity_level = (
        3  # saving NCHWc layouts warns that the file suits this machine only: that is the point
    )
    if 1 in _threads_here or not _threads_here:
        options.intra_op_num_threads = options.inter_op_num_threads = 1
    else:
        options.use_per_session_threads = False
    options.add_session_config_entry(*EXACT)
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.add_free_dimension_override_by_name(BATCH_DIM, batch)
    if save_to:
        options.optimized_model_filepath = save_to
    return ort.InferenceSession(program, options, providers=["CPUExecutionProvider"])


def _begin(threads: int) -> None:
    """All sessions of this process share one pool, whose threads spin between operators as they do by default.

    With a pool each they would spin against each other; without spinning, waking a thread takes longer than many an
    operator, and never equally long. Raises MeasurementFailed for another number than before.
    """
    if _threads_here - {threads}:
        raise MeasurementFailed(f"this process measures with {min(_threads_here)} threads, not with {threads} as well")
    if threads > 1 and not _threads_here:
        with pinned_threads():
            ort.set_global_thread_pool_sizes(threads, 1)
    _threads_here.add(threads)


def sample_inputs(session: Any) -> dict[str, NDArray[Any]]:
    """The same values at every call: normal for floats, bytes for 8 bits, zeros for indices (always in range)."""
    return {given.name: _sample(given.name, given.type, given.shape) for given in session.get_inputs()}


def bound_run(session: Any) -> Callable[[], None]:
    """One inference per call, with no conversion of inputs and no new output buffers."""
    binding = session.io_binding()
    for name, value in sample_inputs(session).items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(aligned(value)))
    outputs = [output.name for output in session.get_outputs()]
    for name in outputs:
        binding.bind_output(name, "cpu")
    session.run_with_iobinding(binding)
    for name, value in zip(outputs, binding.get_outputs()):
        binding.bind_ortvalue_output(name, value)
    return partial(session.run_with_iobinding, binding)


def _sample(name: str, kind: str, shape: list[Any]) -> NDArray[Any]:
    if kind not in _DTYPES:
        raise MeasurementFailed(f"input {name} is a {kind}; only plain tensors of numbers can be measured")
    free = [d for d in shape if not isinstance(d, int)]
    if free:
        raise MeasurementFailed(
            f"input {name} has the free dimension {free[0]!r}; only a batch named {BATCH_DIM!r} can be free"
        )
    dtype = np.dtype(_DTYPES[kind])
    generator = np.random.default_rng(0)
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        return generator.integers(0, 100, shape).astype(dtype)
    return np.zeros(shape, dtype)
