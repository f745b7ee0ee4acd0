"""onnxruntime with its telemetry off: import `ort` from here, nowhere from the package itself.

Official builds from 1.29 on report sessions, with names and hashes of the models that are loaded, to their maker
unless the environment says otherwise before the library starts (its Privacy.md, "Disabling Telemetry"). Models belong
to the user; whoever wants to report sets ORT_DISABLE_TELEMETRY=0 themselves.
"""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime as ort

__all__ = ["EXACT", "ort", "session"]

EXACT = ("session.x64quantprecision", "1")
"""Setting of a session under which int8 layers compute the same on every CPU. Without it, processors that lack VNNI
instructions add products of bytes in 16 bits, which overflow and are cut (onnxruntime's "Quantize ONNX models", on
U8S8); it has no effect on others."""


def session(program: bytes, optimise: bool = True) -> Any:
    """An ONNX program ready to run on the CPU, on one thread: for results, not for times. Whatever onnxruntime raises
    is passed on; it has no class of its own for files that it refuses."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.add_session_config_entry(*EXACT)
    if not optimise:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(program, options, providers=["CPUExecutionProvider"], enable_fallback=0)
