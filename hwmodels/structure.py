"""The structure of a program as text: operators, attributes, shapes and types, without weights and without names.

Two networks with the same structure take equally long, whatever was trained into them: it is what a measurement of a
whole network is kept under.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from hwmodels.base import MeasurementFailed
from hwmodels.device import Device
from hwmodels.profilers.pt2 import Pt2, read_pt2
from hwmodels.profilers.signatures import SMALL, op_type

FEW = 8
"""Kinds of operators that a summary names."""


def structure(program: bytes, device: Device) -> str:
    """Everything that the latency of a network depends on, one line each, the settings of the device last.

    Raises MeasurementFailed for bytes that aren't a program in the device's form.
    """
    lines = _pt2(read_pt2(program)) if device.form == "pt2" else _onnx(_model(program))
    settings = f"{device.form} batch={device.batch} threads={device.threads} precision={device.precision or 'own'}"
    return "\n".join([*lines, settings])


def summary(text: str) -> str:
    """A line for people: how many operators of which kinds, most frequent first, and the settings."""
    *lines, settings = text.split("\n")
    kinds = Counter(line.partition("(")[0] for line in lines if " -> " in line)
    named = [f"{count} {kind}" for kind, count in kinds.most_common(FEW)]
    more = ["..."] if len(kinds) > FEW else []
    return f"network of {sum(kinds.values())} operators: {', '.join(named + more)}; {settings}"


def _model(program: bytes) -> Any:
    try:
        return onnx.load_model_from_string(program)
    except DecodeError as error:
        raise MeasurementFailed(f"this is no ONNX program ({error})") from error


def _onnx(model: Any) -> Iterator[str]:
    yield "opsets " + ", ".join(sorted(f"{o.domain or 'onnx'} {o.version}" for o in model.opset_import))
    yield from _graph(model.graph, {})


def _graph(graph: Any, outer: Mapping[str, str]) -> Iterator[str]:
    """Lines of a graph; values are numbered in order, constants told by type and shape."""
    known = {**outer, **{t.name: _constant(t) for t in graph.initializer}}
    for given in graph.input:
        if given.name not in known:
            known[given.name] = f"%{len(known)}"
            yield f"input {known[given.name]} {_type(given)}"
    tensors = {t.name: t for t in graph.initializer}
    for node in graph.node:
        inputs = [_operand(node, name, known, tensors) for name in node.input]
        attributes = [f"{a.name}={_attribute(a, known)}" for a in sorted(node.attribute, key=lambda a: str(a.name))]
        known.update({name: f"%{len(known) + i}" for i, name in enumerate(node.output) if name})
        made = ", ".join(known[name] if name else "none" for name in node.output)
        yield f"{op_type(node)}({', '.join(inputs)}) -> {made} {{{', '.join(attributes)}}}"
    yield "outputs " + ", ".join(known[output.name] for output in graph.output)


def _operand(node: Any, name: str, known: Mapping[str, str], tensors: Mapping[str, Any]) -> str:
    """A value by number; kernels for powers differ by the exponent, so that it counts."""
    if node.op_type == "Pow" and name in tensors and prod(tensors[name].dims) == 1:
        return f"{known[name]}={numpy_helper.to_array(tensors[name]).item()}"
    return known[name] if name else "none"


def _constant(tensor: Any) -> str:
    """Type and shape; a few whole numbers (axes, sizes, pads) are no weights and count with their values."""
    text = f"const {onnx.TensorProto.DataType.Name(tensor.data_type)}{list(tensor.dims)}"
    if tensor.data_type == onnx.TensorProto.INT64 and prod(tensor.dims) <= SMALL:
        text += f"={numpy_helper.to_array(tensor).tolist()}"
    return text


def _type(value: Any) -> str:
    tensor = value.type.tensor_type
    sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in tensor.shape.dim]
    return f"{onnx.TensorProto.DataType.Name(tensor.elem_type)}{sizes}"


def _attribute(attribute: Any, known: Mapping[str, str]) -> str:
    value = onnx.helper.get_attribute_value(attribute)
    if attribute.type == onnx.AttributeProto.TENSOR:
        return _constant(value)
    if attribute.type == onnx.AttributeProto.GRAPH:
        return "[" + "; ".join(_graph(value, known)) + "]"
    return repr(value)


def _pt2(program: Pt2) -> Iterator[str]:
    for number, kind, shape in program.inputs:
        yield f"input %{number} {kind}{list(shape)}"
    for number, stored in program.tensors.items():
        yield f"const %{number} {stored.dtype}{list(stored.shape)} strides {list(stored.strides)}"
    for call in program.calls:
        given = ", ".join(f"{name}={json.dumps(value, sort_keys=True)}" for name, _, value in call.arguments)
        yield f"{call.target}({given}) -> {list(call.makes)}"
    yield "outputs " + ", ".join(f"%{number}" for number in program.outputs)
