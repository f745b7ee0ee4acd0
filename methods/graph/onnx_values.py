"""How everything between layers is written in ONNX: elementwise operators, data movement, reductions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import fx

from methods.graph.emitter import Emitter, ExportError
from methods.graph.onnx_layers import arg

Translator = Callable[[Emitter, fx.Node], Any]


def upsample(e: Emitter, node: fx.Node) -> str:
    source: Any = node.args[0]
    pairs = zip(e.shape(source)[2:], e.shape(node)[2:], strict=True)
    scales = e.constant(np.array([1, 1, *(a / b for b, a in pairs)], np.float32))
    settings: dict[str, Any] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return e.emit("Resize", [e.value(source), "", scales], name=node.name, **settings)  # type: ignore[no-any-return]


def plain(op: str, **attributes: Any) -> Translator:
    """A one-input operator that ONNX has under another name."""
    return lambda e, node: e.emit(op, [e.value(node.args[0])], name=node.name, **attributes)


def passed(e: Emitter, node: fx.Node) -> Any:
    """Operators that do nothing in evaluation mode."""
    return e.names.get(node.args[0]) or e.value(node.args[0])  # type: ignore[arg-type]


def binary(op: str) -> Translator:
    """Two operands with broadcasting; `alpha` scales the second."""

    def translate(e: Emitter, node: fx.Node) -> str:
        left, right = e.value(node.args[0]), e.value(node.args[1])
        alpha = arg(node, 2, "alpha", 1)
        if alpha != 1:
            right = e.emit("Mul", [right, e.value(float(alpha))])
        return e.emit(op, [left, right], name=node.name)  # type: ignore[no-any-return]

    return translate


def clip(low: float | None, high: float | None) -> Translator:
    """A value held between two bounds; the node's own arguments win over the defaults."""

    def translate(e: Emitter, node: fx.Node) -> str:
        bounds = [arg(node, 1, "min", low), arg(node, 2, "max", high)]
        names = [e.value(float(b)) if b is not None else "" for b in bounds]
        return e.emit("Clip", [e.value(node.args[0]), *names], name=node.name)  # type: ignore[no-any-return]

    return translate


def silu(e: Emitter, node: fx.Node) -> str:
    source = e.value(node.args[0])
    return e.emit("Mul", [source, e.emit("Sigmoid", [source])], name=node.name)  # type: ignore[no-any-return]


def gelu(e: Emitter, node: fx.Node) -> str:
    kind = str(node.kwargs.get("approximate", "none"))
    return e.emit("Gelu", [e.value(node.args[0])], name=node.name, approximate=kind)  # type: ignore[no-any-return]


def rsqrt(e: Emitter, node: fx.Node) -> str:
    root = e.emit("Sqrt", [e.value(node.args[0])])
    return e.emit("Reciprocal", [root], name=node.name)  # type: ignore[no-any-return]


def reshape(e: Emitter, node: fx.Node) -> str:
    target = e.reshape_target(e.shape(node))
    return e.emit("Reshape", [e.value(node.args[0]), target], name=node.name)  # type: ignore[no-any-return]


def transpose(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node))
    order = list(range(rank))
    if "permute" in str(node.target):
        order = [int(d) % rank for d in arg(node, 1, "dims")]
    else:
        a, b = (0, 1) if len(node.args) < 3 else (int(node.args[1]) % rank, int(node.args[2]) % rank)  # type: ignore[arg-type]
        order[a], order[b] = order[b], order[a]
    return e.emit("Transpose", [e.value(node.args[0])], name=node.name, perm=order)  # type: ignore[no-any-return]


def expand(e: Emitter, node: fx.Node) -> str:
    inputs = [e.value(node.args[0]), e.full_shape(e.shape(node))]
    return e.emit("Expand", inputs, name=node.name)  # type: ignore[no-any-return]


def concat(e: Emitter, node: fx.Node) -> str:
    values = [e.value(v) for v in node.args[0]]  # type: ignore[union-attr]
    return e.emit("Concat", values, name=node.name, axis=int(arg(node, 1, "dim", 0)))  # type: ignore[no-any-return]


def stack(e: Emitter, node: fx.Node) -> str:
    axis = int(arg(node, 1, "dim", 0)) % len(e.shape(node))
    values = [e.emit("Unsqueeze", [e.value(v), e.ints([axis])]) for v in node.args[0]]  # type: ignore[union-attr]
    return e.emit("Concat", values, name=node.name, axis=axis)  # type: ignore[no-any-return]


def split(e: Emitter, node: fx.Node) -> list[str]:
    dim = int(arg(node, 2, "dim", 0))
    sizes = [shape[dim] for shape in e.shapes[node.name]]
    inputs = [e.value(node.args[0]), e.ints(sizes)]
    made = e.emit("Split", inputs, outputs=len(sizes), name=node.name, axis=dim)
    return made if isinstance(made, list) else [made]


def unbind(e: Emitter, node: fx.Node) -> list[str]:
    axis, source = int(arg(node, 1, "dim", 0)), e.value(node.args[0])
    count = len(e.shapes[node.name])
    return [e.emit("Gather", [source, e.constant(np.array(i))], axis=axis) for i in range(count)]


def cut(e: Emitter, node: fx.Node) -> str:
    dim, start, end = int(arg(node, 1, "dim", 0)), arg(node, 2, "start") or 0, arg(node, 3, "end")
    last = end if isinstance(end, int) else 2**62
    bounds = [e.ints([v]) for v in (int(start), min(last, 2**62), dim, int(arg(node, 4, "step", 1)))]
    return e.emit("Slice", [e.value(node.args[0]), *bounds], name=node.name)  # type: ignore[no-any-return]


def select(e: Emitter, node: fx.Node) -> str:
    index = e.constant(np.array(int(node.args[2])))  # type: ignore[arg-type]
    return e.emit("Gather", [e.value(node.args[0]), index], name=node.name, axis=int(node.args[1]))  # type: ignore[arg-type, no-any-return]


def repeat(e: Emitter, node: fx.Node) -> str:
    source: Any = node.args[0]
    extra = len(e.shape(node)) - len(e.shape(source))
    value = e.value(source)
    if extra:
        value = e.emit("Unsqueeze", [value, e.ints(list(range(extra)))])
    return e.emit("Tile", [value, e.ints(list(node.args[1]))], name=node.name)  # type: ignore[arg-type, no-any-return]


def pad(e: Emitter, node: fx.Node) -> str:
    widths, rank = list(node.args[1]), len(e.shape(node))  # type: ignore[arg-type]
    mode = str(arg(node, 2, "mode", "constant")) if "constant_pad" not in str(node.target) else "constant"
    if mode != "constant":
        raise ExportError(f"node {node.name}: padding mode {mode} has no ONNX translation yet")
    number = arg(node, 2, "value", 0) if "constant_pad" in str(node.target) else arg(node, 3, "value", 0)
    before, after = [0] * rank, [0] * rank
    for i in range(len(widths) // 2):
        before[rank - 1 - i], after[rank - 1 - i] = int(widths[2 * i]), int(widths[2 * i + 1])
    inputs = [e.value(node.args[0]), e.ints(before + after), e.value(float(number or 0))]
    return e.emit("Pad", inputs, name=node.name)  # type: ignore[no-any-return]


def reduce(op: str) -> Translator:
    """Reduction over given axes."""

    def translate(e: Emitter, node: fx.Node) -> str:
        axes, keep = list(arg(node, 1, "dim") or []), int(bool(arg(node, 2, "keepdim", False)))
        inputs = [e.value(node.args[0])] + ([e.ints(axes)] if axes else [])
        return e.emit(op, inputs, name=node.name, keepdims=keep)  # type: ignore[no-any-return]

    return translate


def softmax(op: str) -> Translator:
    return lambda e, node: e.emit(op, [e.value(node.args[0])], name=node.name, axis=int(node.args[1]))  # type: ignore[arg-type]


def matmul(e: Emitter, node: fx.Node) -> str:
    return e.emit("MatMul", [e.value(node.args[0]), e.value(node.args[1])], name=node.name)  # type: ignore[no-any-return]


def gather(e: Emitter, node: fx.Node) -> str:
    return e.emit("Gather", [e.value(node.args[0]), e.value(node.args[1])], name=node.name)  # type: ignore[no-any-return]


def index_select(e: Emitter, node: fx.Node) -> str:
    inputs = [e.value(node.args[0]), e.value(node.args[2])]
    return e.emit("Gather", inputs, name=node.name, axis=int(node.args[1]))  # type: ignore[arg-type, no-any-return]


def full(e: Emitter, node: fx.Node) -> str:
    number = float(node.args[1]) if len(node.args) > 1 and "full" in str(node.target) else 0.0  # type: ignore[arg-type]
    value = e.constant(np.array(number, np.float32))
    return e.emit("Expand", [value, e.full_shape(e.shape(node))], name=node.name)  # type: ignore[no-any-return]
