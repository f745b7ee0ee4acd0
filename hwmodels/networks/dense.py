"""Networks of linear layers alone, and of recurrent ones, both of random width."""

from __future__ import annotations

from hwmodels.networks.builder import CLASSES, Builder


def mlp(seed: int) -> bytes:
    """Four to seven linear layers with an activation between them."""
    b = Builder(seed)
    first = width = b.width(256, 768)
    x, kind = "x", b.choice("Relu", "Tanh", "Sigmoid", "Gelu")
    for _ in range(b.width(3, 6)):
        wide = b.width(256, 896)
        x, width = b.op(kind, b.gemm(x, width, wide)), wide
    return b.model(b.gemm(x, width, CLASSES), (first,))


def recurrent(seed: int) -> bytes:
    """One or two LSTM layers with even seeds, GRU with odd ones, in one direction or both; a linear layer on top."""
    b = Builder(seed)
    time, first, directions = b.choice(16, 24, 48), b.width(16, 96), b.choice(1, 2)
    width, x = first, b.op("Transpose", "x", perm=[1, 0, 2])
    for _ in range(b.width(1, 2)):
        hidden = b.width(24, 160)
        x, width = _layer(b, x, width, hidden, directions, "GRU" if seed % 2 else "LSTM"), directions * hidden
        x = _joined(b, x, time, width, directions)
    last = b.op("Slice", x, b.ints(time - 1), b.ints(time), b.ints(0), b.ints(1))
    last = b.op("Squeeze", last, b.ints(0))
    return b.model(b.gemm(last, width, CLASSES), (time, first))


def _layer(b: Builder, x: str, given: int, hidden: int, directions: int, kind: str) -> str:
    """`[time, N, given]` to `[time, directions, N, hidden]`, gates and states as torch has them."""
    gates = {"LSTM": 4, "GRU": 3}[kind] * hidden
    weights = b.weight(directions, gates, given), b.weight(directions, gates, hidden), b.weight(directions, 2 * gates)
    own = {"linear_before_reset": 1} if kind == "GRU" else {}
    direction = "bidirectional" if directions == 2 else "forward"
    return b.several(kind, gates // hidden - 1, x, *weights, "", hidden_size=hidden, direction=direction, **own)[0]


def _joined(b: Builder, x: str, time: int, width: int, directions: int) -> str:
    """The directions side by side: `[time, N, directions * hidden]`."""
    if directions == 1:
        return b.op("Squeeze", x, b.ints(1))
    return b.op("Reshape", b.op("Transpose", x, perm=[0, 2, 1, 3]), b.ints(time, -1, width))
