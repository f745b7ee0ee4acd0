"""LiteRT in the measuring process: a tflite interpreter with its default delegate, XNNPACK, inputs set once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.base import MeasurementFailed


def open_run(program: bytes, settings: Mapping[str, Any]) -> Callable[[], None]:
    """One inference per call of a tflite program, which was written for the batch; `settings` holds the threads."""
    interpreter = open_interpreter(program, settings["threads"])
    for given in interpreter.get_input_details():
        interpreter.set_tensor(given["index"], sample(given["name"], given["dtype"], given["shape"]))
    interpreter.invoke()
    run: Callable[[], None] = interpreter.invoke
    return run


def open_interpreter(program: bytes, threads: int) -> Any:
    """An interpreter with its tensors allocated. It says on standard error which delegate it has."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=program, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def sample(name: str, dtype: Any, shape: Any) -> NDArray[Any]:
    """The same values at every call: normal for floats, small for codes, zeros for indices (always in range)."""
    kind, generator = np.dtype(dtype), np.random.default_rng(0)
    if kind.kind == "f":
        return np.asarray(generator.standard_normal(shape), kind)
    if kind.itemsize == 1 and kind.kind in "iu":
        return np.asarray(generator.integers(0, 100, shape), kind)
    if kind.kind not in "iub":
        raise MeasurementFailed(f"input {name} is a {kind}; only plain tensors of numbers can be measured")
    return np.zeros(shape, kind)
