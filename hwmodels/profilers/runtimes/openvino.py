"""OpenVINO in the measuring process: networks compiled for the CPU, inputs bound once, outputs not copied.

Its Python package reports every import to its maker through `openvino_telemetry`, unless that package can't be had:
then it uses a stub that reports nothing (openvino/tools/ovc/telemetry_utils.py). So it can't be had here.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodels.base import MeasurementFailed
from hwmodels.profilers.aligned import aligned
from hwmodels.profilers.channel import Reply


def _silent() -> Any:
    """OpenVINO without its reports."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return importlib.import_module("openvino")


ov = _silent()

SIZES = {"f32": "float32", "f64": "float64", "f16": "float16", "u8": "uint8", "i8": "int8", "u16": "uint16"}
SIZES |= {"i16": "int16", "i32": "int32", "i64": "int64", "boolean": "bool", "bf16": "uint16"}
"""Element types and the numpy type that holds them; bfloat16, which numpy hasn't, as its bits."""


def open_run(program: bytes, settings: Mapping[str, Any]) -> Callable[[], object]:
    """One inference per call of an ONNX program; `settings` holds batch, threads and precision (empty: OpenVINO's)."""
    request = _compiled(_read(program, settings["batch"]), settings).create_infer_request()
    for number, port in enumerate(request.model_inputs):
        request.set_input_tensor(number, _sample(port))
    request.infer()
    return partial(request.infer, share_outputs=True)


def look(header: Mapping[str, Any], blobs: Sequence[bytes]) -> Reply:
    """What the runtime makes of each program: the nodes of its compiled graph, and its activations.

    A program's `nodes` come in the order of execution, constants left out, each with name, type, kernel, precisions
    and layouts of its outputs, the numbers of the nodes that it reads, and the activations that it stands for.
    `activations` holds element type and shape by name.
    """
    return {"programs": [_told(program, header) for program in blobs]}, []


def _told(program: bytes, header: Mapping[str, Any]) -> dict[str, Any]:
    model = _read(program, header["batch"])
    named, activations = _activations(model)
    compiled = _compiled(model, header)
    graph = [node for node in compiled.get_runtime_model().get_ordered_ops() if _info(node, "layerType") != "Const"]
    graph.sort(key=lambda node: int(_info(node, "execOrder")))
    numbers = {node.get_friendly_name(): number for number, node in enumerate(graph)}
    precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return {"nodes": [_node(n, numbers, named) for n in graph], "activations": activations, "precision": precision}


def _node(node: Any, numbers: Mapping[str, int], named: Mapping[str, list[str]]) -> dict[str, Any]:
    sources = [port.get_source_output().get_node().get_friendly_name() for port in node.inputs()]
    originals = _info(node, "originalLayersNames").split(",")
    return {
        "name": node.get_friendly_name(),
        "type": _info(node, "layerType"),
        "kernel": _info(node, "primitiveType"),
        "precisions": _info(node, "outputPrecisions").split(","),
        "layouts": _info(node, "outputLayouts").split(","),
        "shape": [list(port.get_shape()) for port in node.outputs()][:1],
        "reads": [numbers[name] for name in sources if name in numbers],
        "activations": [name for original in originals for name in named.get(original, [])],
    }


def _activations(model: Any) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """The activations that each operator makes, by the operator's name, and what each of them is."""
    named: dict[str, list[str]] = {}
    found: dict[str, Any] = {}
    for node in model.get_ordered_ops():
        for port in node.outputs():
            names = sorted(port.get_names())
            named.setdefault(node.get_friendly_name(), []).extend(names)
            shape = port.get_partial_shape()
            if shape.is_static:
                found |= {name: [port.get_element_type().get_type_name(), list(shape.to_shape())] for name in names}
    return named, found


def _info(node: Any, key: str) -> str:
    told = node.get_rt_info()
    return str(told[key].value) if key in told else ""


@cache
def _core() -> Any:
    return ov.Core()


def _read(program: bytes, batch: int) -> Any:
    """The network with its free batch, the first dimension of an input, filled in."""
    model = _core().read_model(program)
    shapes = {}
    for port in model.inputs:
        dims = [d.get_length() if d.is_static else None for d in port.get_partial_shape()]
        if None in dims[1:]:
            raise MeasurementFailed(
                f"input {port.get_any_name()} has a free dimension at place {dims.index(None, 1)}; "
                "only the first, the batch, can be free"
            )
        shapes[port] = [batch if d is None else d for d in dims]
    model.reshape(shapes)
    return model


def _compiled(model: Any, settings: Mapping[str, Any]) -> Any:
    """Compiled with numbers next to zero taken for it.

    Left to OpenVINO, a convolution of 90 us took 3.5 ms on a Xeon of 2017 as soon as another network had been compiled
    in the same process, which it doesn't in a process of its own.
    """
    options: dict[str, Any] = {"INFERENCE_NUM_THREADS": settings["threads"], "NUM_STREAMS": 1}
    options["CPU_DENORMALS_OPTIMIZATION"] = True
    options["PERFORMANCE_HINT"] = "LATENCY"
    if settings["precision"]:
        options["INFERENCE_PRECISION_HINT"] = settings["precision"]
    return _core().compile_model(model, "CPU", options)


def _sample(port: Any) -> Any:
    """The same values at every call: normal for floats, bytes for 8 bits, zeros for indices (always in range)."""
    kind, shape = port.get_element_type().get_type_name(), list(port.get_shape())
    if kind not in SIZES:
        raise MeasurementFailed(f"input {port.get_any_name()} is {kind}; only plain tensors of numbers can be measured")
    return ov.Tensor(aligned(_values(kind, shape)), shape, port.get_element_type())


def _values(kind: str, shape: Sequence[int]) -> NDArray[Any]:
    generator, dtype = np.random.default_rng(0), np.dtype(SIZES[kind])
    if kind == "bf16":
        return (generator.standard_normal(shape).astype(np.float32).view(np.uint32) >> 16).astype(dtype)
    if dtype.kind == "f":
        return generator.standard_normal(shape).astype(dtype)
    if dtype.itemsize == 1 and dtype.kind in "iu":
        return generator.integers(0, 100, shape).astype(dtype)
    return np.zeros(shape, dtype)
