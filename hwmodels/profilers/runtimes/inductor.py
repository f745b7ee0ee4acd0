"""torch's inductor in the measuring process: a program of torch.export, compiled to C++ for this CPU, weights frozen.

The program is read as data (hwmodels/profilers/pt2.py) and made into a graph of ATen operators and nothing else. What
the compiler writes (sources, libraries, precompiled headers: 150 MB) lies in this process's temporary folder and goes
with it.
"""

from __future__ import annotations

import io
import operator
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.profilers.pt2 import TYPES, Call, Pt2, Stored, read_pt2

# Read by torch when it is imported. Compiling in this process leaves none behind if it is killed.
os.environ["TORCHINDUCTOR_FREEZING"] = "1"
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / "inductor")

import torch
from torch import Tensor, fx, nn

FIXED: Mapping[str, Any] = {
    "as_none": None,
    "as_device": torch.device("cpu"),
    "as_layout": torch.strided,
    "as_memory_format": torch.contiguous_format,
}
"""Arguments about memory: that of this process."""


def open_run(program: bytes, settings: Mapping[str, Any]) -> Callable[[], None]:
    """One inference per call, compiled before the first; `settings` holds threads. Takes seconds to minutes.

    Raises UnsupportedOp for operators outside ATen, MeasurementFailed for what can't be compiled.
    """
    torch.set_num_threads(settings["threads"])
    network, inputs = built(program)
    compiled = torch.compile(network, fullgraph=True, dynamic=False, options={"cpp.threads": settings["threads"]})
    run = partial(_inference, compiled, inputs)
    try:
        run()
    except Exception as error:  # errors of the compiler share no base class with those of the operators
        raise MeasurementFailed(f"inductor can't compile the network: {str(error).strip()[:500]}") from error
    return run


def _inference(compiled: Callable[..., object], inputs: tuple[Tensor, ...]) -> None:
    with torch.inference_mode():
        compiled(*inputs)


def built(program: bytes) -> tuple[fx.GraphModule, tuple[Tensor, ...]]:
    """The network of a program, and inputs for it: the same at every call, zeros where they are whole numbers."""
    read = read_pt2(program)
    root, graph, values = nn.Module(), fx.Graph(), dict[int, fx.Node]()
    for number, _, _ in read.inputs:
        values[number] = graph.placeholder(f"input_{number}")
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        for number, stored in read.tensors.items():
            root.register_buffer(f"weight_{number}", _tensor(archive.read(stored.member), stored))
            values[number] = graph.get_attr(f"weight_{number}")
    for call in read.calls:
        _add(graph, values, call)
    graph.output(tuple(values[number] for number in read.outputs))
    return fx.GraphModule(root, graph).eval(), _samples(read)


def _samples(read: Pt2) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    types = [(getattr(torch, kind), shape) for _, kind, shape in read.inputs]
    return tuple(
        torch.randn(shape, generator=draw).to(kind) if kind.is_floating_point else torch.zeros(shape, dtype=kind)
        for kind, shape in types
    )


def _tensor(data: bytes, stored: Stored) -> Tensor:
    if not data:
        return torch.zeros(stored.shape, dtype=getattr(torch, stored.dtype))
    flat = torch.frombuffer(bytearray(data), dtype=getattr(torch, stored.dtype))
    return flat.as_strided(stored.shape, stored.strides, stored.offset).clone()


def _add(graph: fx.Graph, values: dict[int, fx.Node], call: Call) -> None:
    args = tuple(_argument(values, given) for _, named, given in call.arguments if not named)
    kwargs = {name: _argument(values, given) for name, named, given in call.arguments if named}
    made = graph.call_function(_target(call.target), args, kwargs)
    for index, number in enumerate(call.makes):
        if number is not None:
            values[number] = graph.call_function(operator.getitem, (made, index)) if call.several else made


def _target(name: str) -> Callable[..., Any]:
    """An operator of ATen by its full name."""
    space, _, rest = name.partition(".")
    packet, _, overload = rest.partition(".")
    found = getattr(getattr(torch.ops.aten, packet, None), overload, None) if space == "aten" else None
    if found is None:
        raise UnsupportedOp(f"{name} is no operator of ATen, and inductor is given no others")
    operation: Callable[..., Any] = found
    return operation


def _argument(values: Mapping[int, fx.Node], given: Any) -> Any:
    kind, value = next(iter(given.items()))
    if kind in FIXED:
        return FIXED[kind]
    if kind == "value":
        return values[value]
    if kind == "as_scalar_type":
        return getattr(torch, TYPES[value])
    if isinstance(value, list):
        return [_argument(values, item) if isinstance(item, dict) else _number(item) for item in value]
    return _argument(values, value) if isinstance(value, dict) else _number(value)


def _number(value: Any) -> Any:
    """Numbers as they are; infinities stand as words."""
    endless = isinstance(value, str) and value.lower().lstrip("-") in ("inf", "infinity", "nan")
    return float(value) if endless else value
