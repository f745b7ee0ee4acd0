"""An ONNX program as a short list of operators with every shape known, for one batch: what is translated to tflite.

Shapes, and the values of all that doesn't depend on the inputs, come from one run of onnxruntime with every activation
exposed; no shape inference can be wrong about them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from hwmodels.base import HardwareModelError, MeasurementFailed, UnsupportedOp
from hwmodels.onnx_runtime import session

BATCH_DIM = "N"
"""The name that the exporter gives to the free batch dimension."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Op:
    """One ONNX operator: names of what it reads (empty where left out) and makes, attributes as plain values."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} ({self.outputs[0]})"


@dataclass(frozen=True)
class Program:
    """Operators in order; `shapes` and `dtypes` of every value, `constants` by name."""

    ops: tuple[Op, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    constants: Mapping[str, Array]

    @cached_property
    def readers(self) -> Mapping[str, tuple[Op, ...]]:
        """Value -> the operators that read it."""
        found: dict[str, list[Op]] = {}
        for op in self.ops:
            for name in dict.fromkeys(op.inputs):
                found.setdefault(name, []).append(op)
        return {name: tuple(ops) for name, ops in found.items()}

    def only_reader(self, name: str) -> Op | None:
        """The operator that reads a value, if it is one alone and the value is no output of the program."""
        readers = self.readers.get(name, ())
        return readers[0] if len(readers) == 1 and name not in self.outputs else None


def read(program: bytes, batch: int) -> Program:
    """The operators of an ONNX program.

    Raises UnsupportedOp for control flow and for free dimensions but the batch, MeasurementFailed for what isn't ONNX.
    """
    try:
        return _read(program, batch)
    except HardwareModelError:
        raise
    except Exception as error:  # of onnxruntime, which has no class of its own for what it refuses, or of protobuf
        raise MeasurementFailed(f"the network can't be read: {' '.join(str(error).split())}") from error


def _read(program: bytes, batch: int) -> Program:
    model = onnx.load_model_from_string(program)
    _fix_batch(model, batch)
    ops = [_op(node) for node in model.graph.node]
    fixed = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    inputs = tuple(given.name for given in model.graph.input if given.name not in fixed)
    outputs = tuple(made.name for made in model.graph.output)
    values = _run(model, inputs)
    known = fixed | {name: values[name] for name in _constant(ops, fixed)}
    left = tuple(op for op in ops if not all(name in known for name in op.outputs if name))
    everything = known | values
    shapes = {name: tuple(value.shape) for name, value in everything.items()}
    dtypes = {name: value.dtype.name for name, value in everything.items()}
    return Program(left, inputs, outputs, shapes, dtypes, known)


def _fix_batch(model: Any, batch: int) -> None:
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param == BATCH_DIM:
                dim.dim_value = batch
    given = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        free = [dim.dim_param for dim in value.type.tensor_type.shape.dim if not dim.HasField("dim_value")]
        if free and value.name not in given:
            raise UnsupportedOp(
                f"input {value.name} has the free dimension {free[0]!r}; only a batch named {BATCH_DIM!r} can be free"
            )


def _op(node: Any) -> Op:
    kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else str(node.op_type)
    attributes = {}
    for attribute in node.attribute:
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            raise UnsupportedOp(f"{kind} ({node.output[0]}) holds a graph of its own, which tflite files here can't")
        value = helper.get_attribute_value(attribute)
        attributes[attribute.name] = value.decode() if isinstance(value, bytes) else value
    return Op(kind, tuple(node.input), tuple(node.output), attributes)


def _run(model: Any, inputs: Iterable[str]) -> dict[str, Array]:
    """Every activation of one run on zeros."""
    present = {made.name for made in model.graph.output}
    names = [n for node in model.graph.node for n in node.output if n and n not in present]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    runnable = session(bytes(model.SerializeToString()), optimise=False)
    given = {one.name: np.zeros(one.shape, _dtype(one.type)) for one in runnable.get_inputs()}
    found = dict(zip([one.name for one in runnable.get_outputs()], runnable.run(None, given)))
    for name, value in found.items():
        if not isinstance(value, np.ndarray):
            raise UnsupportedOp(f"value {name} is a {type(value).__name__}; only tensors can be written")
    return found | {name: given[name] for name in inputs}


def _dtype(kind: str) -> str:
    """`tensor(float)` -> float32."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def _constant(ops: Iterable[Op], fixed: Mapping[str, Array]) -> Iterator[str]:
    """Names that don't depend on the inputs' values. Weights behind DequantizeLinear stay codes."""
    known = set(fixed)
    for op in ops:
        depends = any(name and name not in known for name in op.inputs)
        if op.kind in ("Shape", "Size") or (not depends and op.kind != "DequantizeLinear"):
            known.update(op.outputs)
            yield from filter(None, op.outputs)
