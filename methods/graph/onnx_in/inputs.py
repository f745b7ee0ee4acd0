"""The inputs of an ONNX file: which axis is the batch, which sizes are fixed, and what integers may be."""

from __future__ import annotations

from typing import Any

import torch

from methods.graph.ir import InputSpec
from methods.graph.nodes_json import BadFile
from methods.graph.onnx_in.builder import Builder
from methods.graph.onnx_in.names import identifier
from methods.graph.onnx_in.tensors import dtype_of
from methods.graph.onnx_in.values import Value

MAX_AXIS, MAX_NUMBERS = 1 << 24, 1 << 30
GUESSES = {"uint8": 256, "int8": 128}
"""Values that an integer input may take where nothing in the file says so; 2, as in a mask, for all other types."""


def real_inputs(model: Any) -> list[Any]:
    """Inputs that are no initializers (older files list those too)."""
    held = {tensor.name for tensor in model.graph.initializer}
    found = [entry for entry in model.graph.input if entry.name not in held]
    if not found:
        raise BadFile("has no input")
    return found


def fixed_batch(model: Any) -> int | None:
    """The batch size that the file is made for, or None where it is free. Raises BadFile where inputs differ."""
    sizes = {}
    for entry in real_inputs(model):
        dims = entry.type.tensor_type.shape.dim
        sizes[entry.name] = dims[0].dim_value if len(dims) and dims[0].HasField("dim_value") else None
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name[:40]}: {size or 'free'}" for name, size in list(sizes.items())[:4])
        raise BadFile(f"its inputs have different first axes ({shown}); every input must begin with the batch axis")
    return next(iter(sizes.values()))


def placeholders(builder: Builder, model: Any) -> dict[str, Value]:
    """ONNX input name -> the value that stands for it, with the batch free."""
    placed = {}
    for entry in real_inputs(model):
        if not entry.type.HasField("tensor_type"):
            raise BadFile(f"input {entry.name[:80]!r} is no tensor; only tensors are supported")
        dtype = dtype_of(entry.type.tensor_type.elem_type, f"input {entry.name[:80]!r}")
        placed[entry.name] = builder.placeholder(identifier(entry.name), _shape(entry), dtype)
    return placed


def _shape(entry: Any) -> list[int]:
    """The axes behind the batch. Raises BadFile, saying how to fix them, where they are free."""
    kind = entry.type.tensor_type
    if not kind.HasField("shape") or not len(kind.shape.dim):
        raise BadFile(f"input {entry.name[:80]!r} needs a batch axis and fixed sizes behind it, such as [N, 3, 32, 32]")
    shape = []
    for axis, dim in enumerate(kind.shape.dim):
        if axis and not 0 < dim.dim_value <= MAX_AXIS:
            raise BadFile(_free_axis(entry.name[:80], axis, dim.dim_param[:60]))
        shape.append(int(dim.dim_value))
    numbers = torch.Size(shape[1:]).numel()
    if len(shape) > 8 or numbers > MAX_NUMBERS:
        raise BadFile(f"input {entry.name[:80]!r} of shape {shape[1:9]} is too large")
    return shape[1:]


def _free_axis(name: str, axis: int, label: str) -> str:
    flag = f"--dim_param {label} --dim_value SIZE" if label else f"--input_name {name} --input_shape SIZES"
    return (
        f"axis {axis} of input {name!r} ({label or 'unnamed'}) is free, and only the batch may be. Fix it: "
        f"python -m onnxruntime.tools.make_dynamic_shape_fixed {flag} model.onnx fixed.onnx"
    )


def specs(placed: dict[str, Value], values: dict[str, int]) -> list[InputSpec]:
    """What the Graph takes, in the file's order."""
    found = []
    for value in placed.values():
        dtype = str(value.dtype).removeprefix("torch.")
        count = 0 if value.is_float else values.get(value.row, GUESSES.get(dtype, 2))
        found.append(InputSpec(value.row, tuple(value.probes[0].shape[1:]), dtype, count))
    return found
