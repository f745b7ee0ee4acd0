"""How padding is written in ONNX, cropping by negative widths included."""

from __future__ import annotations

from collections.abc import Mapping

from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.move import END
from methods.graph.onnx_out.types import refuse

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad(e: Emitter, node: fx.Node) -> str:
    """Widths count from the last axis: before, after, before, after."""
    widths, rank = [int(w) for w in argument(node, "pad")], len(e.shape(node))
    before, after = [0] * rank, [0] * rank
    for i in range(len(widths) // 2):
        before[rank - 1 - i], after[rank - 1 - i] = widths[2 * i], widths[2 * i + 1]
    mode = str(argument(node, "mode", "constant"))
    if mode not in MODES:
        raise refuse(node, f"padding mode {mode} is unknown", f"use one of {', '.join(MODES)}")
    value = e.value(node.args[0])
    if mode == "circular":
        return _circular(e, node, _cropped(e, value, before, after), before, after)
    inputs = [value, e.ints([max(0, w) for w in before + after])]
    if mode == "constant":
        number = argument(node, "value")
        inputs.append(e.value(0 if number is None else number, e.dtype(node)))
    if min(before + after, default=0) >= 0:
        return e.emit("Pad", inputs, node, mode=MODES[mode])
    made = _cropped(e, e.emit("Pad", inputs, mode=MODES[mode]), before, after)
    return e.emit("Identity", [made], node)


def _cropped(e: Emitter, value: str, before: list[int], after: list[int]) -> str:
    """What negative widths leave."""
    if min(before + after, default=0) >= 0:
        return value
    starts, ends = [max(0, -b) for b in before], [min(0, a) or END for a in after]
    return e.emit("Slice", [value, e.ints(starts), e.ints(ends), e.ints(list(range(len(starts))))])


def _circular(e: Emitter, node: fx.Node, value: str, before: list[int], after: list[int]) -> str:
    """Each axis goes on at its other end."""
    for axis, (front, back) in enumerate(zip(before, after, strict=True)):
        parts, along = [value], e.ints([axis])
        if front > 0:
            parts.insert(0, e.emit("Slice", [value, e.ints([-front]), e.ints([END]), along]))
        if back > 0:
            parts.append(e.emit("Slice", [value, e.ints([0]), e.ints([back]), along]))
        value = e.emit("Concat", parts, axis=axis) if len(parts) > 1 else value
    return e.emit("Identity", [value], node)


TABLE: Mapping[str, Translator] = {"constant_pad_nd": pad, "pad": pad}
