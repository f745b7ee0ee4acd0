"""How LSTMs with projected outputs (proj_size; Sak et al. 2014, arXiv:1402.1128) are written in ONNX, which has no
layer for them: one time step after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter
from methods.graph.onnx_out.types import refuse


@dataclass
class _Cell:
    """One layer in one direction: its weights, and the states that it starts from (names)."""

    inputs: Tensor
    hidden: Tensor
    bias: Tensor
    projection: Tensor
    states: tuple[str, str]


def projected(e: Emitter, node: fx.Node) -> list[str]:
    """The output `[time, batch, directions * projection]` in the node's own order of axes, and the last states."""
    first, directions = bool(argument(node, "batch_first")), 2 if argument(node, "bidirectional") else 1
    steps = e.shape(node.args[0])[1 if first else 0]
    if steps < 0:
        raise refuse(node, "its time axis is the batch, whose size is free", "set batch_first=True")
    value = e.value(node.args[0])
    value = e.emit("Transpose", [value], perm=[1, 0, 2]) if first else value
    last: list[tuple[str, str]] = []
    cells = _cells(e, node)
    for start in range(0, len(cells), directions):
        made = [_run(e, value, cell, steps, turn == 1) for turn, cell in enumerate(cells[start : start + directions])]
        value = made[0][0] if directions == 1 else e.emit("Concat", [m[0] for m in made], axis=2)
        last += [(m[1], m[2]) for m in made]
    value = e.emit("Transpose", [value], perm=[1, 0, 2]) if first else value
    return [value, *(_stacked(e, list(states)) for states in zip(*last, strict=True))]


def _cells(e: Emitter, node: fx.Node) -> list[_Cell]:
    names: Any = argument(node, "params")
    hidden, cells = (e.value(state) for state in argument(node, "hx"))
    biased = bool(argument(node, "has_biases"))
    each = 5 if biased else 3
    found = []
    for place, start in enumerate(range(0, len(names), each)):
        values = [e.fold(n).detach().to(torch.float32) for n in names[start : start + each]]
        bias = values[2] + values[3] if biased else torch.zeros(len(values[0]))
        index = e.value(place)
        states = [e.emit("Gather", [state, index], axis=0) for state in (hidden, cells)]
        found.append(_Cell(values[0], values[1], bias, values[-1], (states[0], states[1])))
    return found


def _run(e: Emitter, value: str, cell: _Cell, steps: int, backwards: bool) -> tuple[str, str, str]:
    """All time steps of one cell: outputs `[time, batch, projection]`, and the last output and cell state."""
    given = e.emit("Add", [e.emit("MatMul", [value, e.floats(cell.inputs.T)]), e.floats(cell.bias)])
    hidden, state = cell.states
    weight, projection = e.floats(cell.hidden.T), e.floats(cell.projection.T)
    outputs = []
    for step in reversed(range(steps)) if backwards else range(steps):
        now = e.emit("Gather", [given, e.value(step)], axis=0)
        gates = e.emit("Add", [now, e.emit("MatMul", [hidden, weight])])
        state, wide = _step(e, gates, state)
        hidden = e.emit("MatMul", [wide, projection])
        outputs.append(hidden)
    return _stacked(e, outputs[::-1] if backwards else outputs), hidden, state


def _step(e: Emitter, gates: str, state: str) -> tuple[str, str]:
    """Gates in torch's order (input, forget, cell, output); returns the cell state and the output before projection."""
    take, keep, new, show = e.emit_many("Split", [gates], 4, axis=1, num_outputs=4)
    kept = e.emit("Mul", [e.emit("Sigmoid", [keep]), state])
    taken = e.emit("Mul", [e.emit("Sigmoid", [take]), e.emit("Tanh", [new])])
    state = e.emit("Add", [kept, taken])
    return state, e.emit("Mul", [e.emit("Sigmoid", [show]), e.emit("Tanh", [state])])


def _stacked(e: Emitter, values: list[str]) -> str:
    return e.emit("Concat", [e.emit("Unsqueeze", [v, e.ints([0])]) for v in values], axis=0)
