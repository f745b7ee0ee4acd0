"""LSTM, GRU and RNN: gates in torch's order, parameters per direction, axes put where ONNX has them."""

from __future__ import annotations

from typing import Any

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Size, Value, constant

ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""torch's gates as positions among ONNX's: input, output, forget, cell; update, reset, new."""

USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
LEAVES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def recurrent(op: Op) -> list[Value]:
    """All outputs of an LSTM, GRU or RNN: the sequence, the last state, and an LSTM's last cell."""
    name = _checked(op)
    x, first = op[0], bool(op.integer("layout"))
    direction, hidden = op.text("direction", "forward"), op[2].static(2)
    both, backward = direction == "bidirectional", direction == "reverse"
    time = 1 if first else 0
    batch = x.sizes[1 - time]
    x = op.b.call("flip.default", x, [time]) if backward else x
    count = 2 if both else 1
    states = [_state(op, i, count, batch, hidden, first) for i in ((5, 6) if op.kind == "LSTM" else (5,))]
    flat = [w for d in range(count) for w in _weights(op, d, "_reverse" if d else "")]
    biases = op.get(3) is not None
    start: Any = states if op.kind == "LSTM" else states[0]
    made = op.b.calls(name, x, start, flat, biases, 1, 0.0, False, both, first)
    return _arranged(op, made, (time, count, hidden), backward)


def _checked(op: Op) -> str:
    """The ATen operator; raises BadFile for what torch's layers can't do."""
    usual = USUAL[op.kind] * (2 if op.text("direction") == "bidirectional" else 1)
    chosen = tuple(a.decode() if isinstance(a, bytes) else str(a) for a in op.attributes.get("activations", usual))
    relu = op.kind == "RNN" and set(chosen) == {"Relu"}
    if chosen != usual and not relu:
        raise op.bad(f"activations {', '.join(chosen)[:80]} are not supported; use {', '.join(usual)}")
    if "clip" in op.attributes or op.integer("input_forget") or op.get(7) is not None:
        raise op.bad("clip, input_forget and peepholes are not supported; leave them out")
    if op.kind == "GRU" and not op.integer("linear_before_reset"):
        raise op.bad("linear_before_reset = 0 is not supported; train with 1 (in Keras: reset_after=True)")
    lengths = op.get(4)
    if lengths is not None and (lengths.live or bool((lengths.probes[0] != op[0].probes[0].shape[0]).any())):
        raise op.bad("sequence_lens must be left out, or be the full length for every sample")
    return {"LSTM": "lstm.input", "GRU": "gru.input", "RNN": "rnn_relu.input" if relu else "rnn_tanh.input"}[op.kind]


def _weights(op: Op, direction: int, suffix: str) -> list[Value]:
    """The parameters of one direction, in torch's order of gates."""
    made = []
    both = op.get(3)
    for position, leaf in enumerate(LEAVES):
        value = op.get(1 + position) if position < 2 else both
        if value is None:
            continue
        if value.live or not value.fixed:
            raise op.bad("its weights must be constants")
        data = value.probes[0][direction]
        if position >= 2:
            data = data.chunk(2, 0)[position - 2]
        gates = data.chunk(len(ORDER[op.kind]), 0)
        data = torch.cat([gates[i] for i in ORDER[op.kind]])
        made.append(op.b.weight(constant(data), leaf + suffix))
    return made


def _state(op: Op, position: int, count: int, batch: int | Size, hidden: int, first: bool) -> Value:
    """An initial state `[directions, batch, hidden]`: given, or zero."""
    value = op.get(position)
    if value is None or _is_zero(value):
        zero = constant(torch.zeros(count, 1, hidden))
        return op.b.expand(op.b.weight(zero, "initial_state", trained=False), [count, batch, hidden])
    if first:
        value = op.b.call("transpose.int", value, 0, 1)
    return op.b.expand(op.b.keep(value), [count, batch, hidden])


def _is_zero(value: Value) -> bool:
    return not value.live and not any(bool(p.any()) for p in value.probes)


def _arranged(op: Op, made: list[Value], shape: tuple[int, int, int], backward: bool) -> list[Value]:
    time, count, hidden = shape
    y, rest = made[0], made[1:]
    y = op.b.call("flip.default", y, [time]) if backward else y
    sizes = y.sizes
    apart = op.b.reshape(y, [*sizes[:2], count, hidden])
    if time == 1:
        return [apart, *(op.b.call("transpose.int", v, 0, 1) for v in rest)]
    if count == 1:
        return [op.b.reshape(y, [sizes[0], 1, sizes[1], hidden]), *rest]
    return [op.b.call("permute.default", apart, [0, 2, 1, 3]), *rest]
