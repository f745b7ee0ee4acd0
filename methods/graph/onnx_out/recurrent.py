"""How recurrent layers are written in ONNX: one node per layer, gates in ONNX's order.

torch keeps the gates of an LSTM as input, forget, cell, output and of a GRU as reset, update, new; ONNX wants input,
output, forget, cell and update, reset, hidden. torch adds the recurrent bias before the reset gate multiplies it,
which ONNX calls linear_before_reset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.unrolled import projected

ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""ONNX operator -> torch's gates in ONNX's order."""


@dataclass
class _Layer:
    """One layer: weights `[directions, gates * hidden, in]`, `[directions, gates * hidden, hidden]`, and biases."""

    inputs: NDArray[Any]
    hidden: NDArray[Any]
    biases: NDArray[Any] | None


def recurrent(op: str, activation: str = "") -> Translator:
    """lstm, gru, rnn: any number of layers, one or both directions; dropout between layers is for training."""

    def translate(e: Emitter, node: fx.Node) -> list[str]:
        if _is_projected(node):
            return projected(e, node)
        first = bool(argument(node, "batch_first"))
        value = e.value(node.args[0])
        value = e.emit("Transpose", [value], perm=[1, 0, 2]) if first else value
        ends: list[list[str]] = []
        layers = _layers(e, node, op)
        for number, layer in enumerate(layers):
            value, last = _layer(e, node, op, activation, value, layer, number)
            ends.append(last)
        value = e.emit("Transpose", [value], perm=[1, 0, 2]) if first else value
        joined = [e.emit("Concat", list(x), axis=0) if len(layers) > 1 else x[0] for x in zip(*ends, strict=True)]
        return [value, *joined]

    return translate


def _is_projected(node: fx.Node) -> bool:
    """Whether each layer and direction has one weight more than usual."""
    cells = int(argument(node, "num_layers")) * (2 if argument(node, "bidirectional") else 1)
    return len(argument(node, "params")) > cells * (4 if argument(node, "has_biases") else 2)


def _layers(e: Emitter, node: fx.Node, op: str) -> list[_Layer]:
    names: Any = argument(node, "params")
    directions = 2 if argument(node, "bidirectional") else 1
    each = 4 if argument(node, "has_biases") else 2
    values: list[Tensor] = [e.fold(name).detach().to(torch.float32) for name in names]
    parts = [values[i : i + each] for i in range(0, len(values), each)]
    return [_joined(parts[i : i + directions], op) for i in range(0, len(parts), directions)]


def _joined(parts: list[list[Tensor]], op: str) -> _Layer:
    """The directions of one layer, stacked, their gates in ONNX's order."""
    columns = [torch.stack([_ordered(p, op) for p in column]) for column in zip(*parts, strict=True)]
    biases = torch.cat(columns[2:], 1).numpy() if len(columns) == 4 else None
    return _Layer(columns[0].numpy(), columns[1].numpy(), biases)


def _ordered(value: Tensor, op: str) -> Tensor:
    gates = value.chunk(len(ORDER[op]))
    return torch.cat([gates[i] for i in ORDER[op]])


def _layer(
    e: Emitter, node: fx.Node, op: str, activation: str, value: str, layer: _Layer, number: int
) -> tuple[str, list[str]]:
    """One ONNX layer; returns its output `[time, batch, directions * hidden]` and its last states."""
    directions, _, hidden = layer.hidden.shape
    settings: dict[str, Any] = {"hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"}
    if op == "GRU":
        settings["linear_before_reset"] = 1
    if activation:
        settings["activations"] = [activation] * directions
    inputs = [value, e.constant(layer.inputs), e.constant(layer.hidden)]
    inputs += [e.constant(layer.biases) if layer.biases is not None else "", "", *_starts(e, node, number, directions)]
    made = e.emit_many(op, inputs, 3 if op == "LSTM" else 2, **settings)
    time, batch = (e.shape(node, 0)[i] for i in ((1, 0) if argument(node, "batch_first") else (0, 1)))
    if directions == 1:
        return e.emit("Squeeze", [made[0], e.ints([1])]), made[1:]
    moved = e.emit("Transpose", [made[0]], perm=[0, 2, 1, 3])
    return e.reshape(moved, (time, batch, directions * hidden)), made[1:]


def _starts(e: Emitter, node: fx.Node, number: int, directions: int) -> list[str]:
    """The states that a layer starts from; nothing where they are zeros, which is what ONNX takes then."""
    given: Any = argument(node, "hx")
    states = [given] if isinstance(given, fx.Node) else list(given)
    if all(_is_zero(e, s) for s in states):
        return []
    bounds = [e.ints([v]) for v in (number * directions, (number + 1) * directions, 0)]
    if int(argument(node, "num_layers")) == 1:
        return [e.value(s) for s in states]
    return [e.emit("Slice", [e.value(s), *bounds]) for s in states]


def _is_zero(e: Emitter, state: Any) -> bool:
    name = str(state.target)
    if name.startswith(("aten.zeros", "aten.new_zeros")):
        return True
    if state in e.constants:
        return not bool(np.asarray(e.fold(state)).any())
    moved = ("aten.expand", "aten.slice", "aten.view", "aten.reshape", "aten.alias", "aten.contiguous", "aten.to.")
    return name.startswith(moved) and _is_zero(e, state.args[0])


TABLE: Mapping[str, Translator] = {
    "lstm": recurrent("LSTM"),
    "gru": recurrent("GRU"),
    "rnn_tanh": recurrent("RNN", "Tanh"),
    "rnn_relu": recurrent("RNN", "Relu"),
}
