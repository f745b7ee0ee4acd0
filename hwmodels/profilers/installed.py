"""Which runtimes are installed here, and what brings those that aren't."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from hwmodels.base import MissingRuntime

DISTRIBUTIONS: Mapping[str, str] = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "litert": "ai-edge-litert",
    "inductor": "torch",
    "onnxruntime-cuda": "onnxruntime-gpu",
}
"""Runtime -> the distribution that holds it."""

BROUGHT: Mapping[str, str] = {
    "onnxruntime-cuda": "pip install onnxruntime-gpu, on a machine with a CUDA device",
}
"""Runtime -> what brings it, where that is no extra of ours."""


def installed(runtime: str) -> str:
    """The version of a runtime. Raises MissingRuntime where it isn't here, or not all that it needs."""
    try:
        found = version(DISTRIBUTIONS[runtime])
    except KeyError:
        raise MissingRuntime(f"there is no runtime {runtime!r}; there are {', '.join(DISTRIBUTIONS)}") from None
    except PackageNotFoundError:
        remedy = BROUGHT.get(runtime, f"pip install 'fitwright[{runtime}]'")
        raise MissingRuntime(f"{DISTRIBUTIONS[runtime]} is not installed here: {remedy}") from None
    if runtime == "inductor":
        _check_compiler()
    return found


def _check_compiler() -> None:
    """The compiler that torch will call: that of CXX, or the system's usual one."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    name = os.environ.get("CXX") or usual
    if shutil.which(name) is None:
        raise MissingRuntime(
            f"inductor compiles C++, and there is no compiler {name!r} here: install {usual} (with OpenMP), or name "
            "another in CXX"
        )


def all_installed() -> dict[str, str]:
    """Runtime -> version, of those that are here."""
    found = {}
    for runtime in DISTRIBUTIONS:
        try:
            found[runtime] = installed(runtime)
        except MissingRuntime:
            continue
    return found
