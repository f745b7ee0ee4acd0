"""How pooling is written in ONNX.

torch and ONNX count differently at the far end: torch drops windows that would start behind the padding, and leaves
what `ceil_mode` adds out of averages. So the padding is worked out here, from the size that torch gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import listed

LOWEST = float(np.finfo(np.float32).min)


def rank_of(node: fx.Node) -> int:
    """The number of axes that an operator goes over, from its name."""
    return int(next(c for c in str(node.target) if c.isdigit()))


def batched(e: Emitter, node: fx.Node, rank: int) -> tuple[str, bool]:
    """The input with a batch and a channel axis, and whether one had to be added."""
    value = e.value(node.args[0], e.dtype(node))
    if len(e.shape(node.args[0])) == rank + 2:
        return value, False
    return e.emit("Unsqueeze", [value, e.ints([0])]), True


def finish(e: Emitter, made: str, node: fx.Node, added: bool) -> str:
    """The result under the node's name, without an axis that was added."""
    return e.emit("Squeeze", [made, e.ints([0])], node) if added else e.emit("Identity", [made], node)


class _Windows:
    """The geometry of a pooling: window, step, padding, and how far the last window reaches behind the input."""

    def __init__(self, e: Emitter, node: fx.Node) -> None:
        rank = rank_of(node)
        self.kernel = listed(argument(node, "kernel_size"), rank)
        self.stride = listed(argument(node, "stride"), rank) or self.kernel
        self.padding = listed(argument(node, "padding", 0), rank)
        self.dilation = listed(argument(node, "dilation", 1), rank)
        before, after = e.shape(node.args[0])[-rank:], e.shape(node)[-rank:]
        sides = zip(before, after, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        reach = [(out - 1) * step + wide * (size - 1) + 1 - given - pad for given, out, size, step, pad, wide in sides]
        self.end = [max(0, r) for r in reach]
        self.plain = all(r <= pad for r, pad in zip(reach, self.padding, strict=True))


def largest(e: Emitter, node: fx.Node, outputs: int = 1) -> list[str]:
    """Max-pooling; the padding never wins. With 2 outputs the positions in the flattened map come along."""
    shape, rank = _Windows(e, node), rank_of(node)
    value, added = batched(e, node, rank)
    pads = shape.padding + (shape.padding if shape.plain else shape.end)
    if any(p >= k for p, k in zip(pads, shape.kernel * 2, strict=True)):
        value, pads = padded(e, value, shape.padding, pads[rank:], LOWEST), [0] * 2 * rank
    settings: dict[str, Any] = {
        "kernel_shape": shape.kernel,
        "strides": shape.stride,
        "pads": pads,
        "dilations": shape.dilation,
    }
    if outputs == 1:
        return [last(e, "MaxPool", value, node, added, **settings)]
    made = e.emit_many("MaxPool", [value], 2, **settings)
    sizes = e.shape(node.args[0])[-rank:]
    made[1] = e.emit("Mod", [made[1], e.constant(np.array(int(np.prod(sizes))))])
    return [e.emit("Squeeze", [m, e.ints([0])]) if added else m for m in made]


def padded(e: Emitter, value: str, before: list[int], after: list[int], number: float = 0.0) -> str:
    """The spatial axes of `[batch, channels, ...]` with a number around them."""
    return e.emit("Pad", [value, e.ints([0, 0, *before, 0, 0, *after]), e.floats(number)])


def average(e: Emitter, node: fx.Node) -> str:
    """Average pooling: the padding counts where asked, what ceil_mode adds behind it never does."""
    shape, rank = _Windows(e, node), rank_of(node)
    value, added = batched(e, node, rank)
    counts, divisor = bool(argument(node, "count_include_pad", True)), argument(node, "divisor_override")
    pads, extra = shape.padding + (shape.padding if shape.plain else shape.end), [0] * rank
    if divisor is not None:
        value, pads = padded(e, value, shape.padding, pads[rank:]), [0] * 2 * rank
    elif counts and not shape.plain:
        value = padded(e, value, shape.padding, shape.padding)
        extra = [max(0, end - pad) for end, pad in zip(shape.end, shape.padding, strict=True)]
        pads, counts = [0] * rank + extra, False
    settings: dict[str, Any] = {
        "kernel_shape": shape.kernel,
        "strides": shape.stride,
        "pads": pads,
        "count_include_pad": int(counts),
    }
    if divisor is None and not added:
        return e.emit("AveragePool", [value], node, **settings)
    made = e.emit("AveragePool", [value], **settings)
    if divisor is not None:
        made = e.emit("Mul", [made, e.floats(float(np.prod(shape.kernel)) / float(divisor))])
    return finish(e, made, node, added)


def last(e: Emitter, op: str, value: str, node: fx.Node, added: bool, **settings: Any) -> str:
    if not added:
        return e.emit(op, [value], node, **settings)
    return finish(e, e.emit(op, [value], **settings), node, added)


def ranks(name: str, translate: Translator) -> dict[str, Translator]:
    return {name.format(rank): translate for rank in (1, 2, 3)}


TABLE: Mapping[str, Translator] = (
    ranks("max_pool{}d", lambda e, n: largest(e, n)[0])
    | ranks("max_pool{}d_with_indices", lambda e, n: largest(e, n, 2))
    | ranks("avg_pool{}d", average)
)
