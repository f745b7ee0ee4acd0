"""Frames: what has to stand around some pieces so that OpenVINO makes the same node of them as inside the network.

Their time is that of the piece in its frame less that of the frame alone. Two kinds of nodes need one:

A convolution that adds to an activation in that activation's own place. Alone it would have to copy it first, so it
adds to the output of a convolution of its own kind.

What isn't a convolution takes images in the natural layout when it is alone, and in the layout of the convolutions
around it inside a network. So a small convolution, from one channel, makes its input.

Outputs end in a pooling that keeps one place of an image: a whole image would be laid out anew on its way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwmodels.profilers.openvino_border import FLOATS, Border
from hwmodels.profilers.openvino_cut import Cut, entered, primer

CONVOLUTIONS = frozenset({"Convolution", "Deconvolution"})
MOVES = frozenset({"Transpose", "Reshape", "Split", "Concat", "Squeeze", "Unsqueeze", "Flatten", "Slice"})
"""ONNX operators that don't look at the values."""


def framed(
    cut: Cut, nodes: Sequence[Any], given: Sequence[Border], made: Sequence[Border], kind: str
) -> tuple[bytes, bytes, int]:
    """The piece as a program, its frame, and the spare ends of that (`Piece`). `kind` is OpenVINO's type of node."""
    if kind in CONVOLUTIONS and len(made) == 1:
        added = _added_to(nodes, given, made[0])
        if added:
            others = [border for border in given if border.name != added]
            return *_with_sum(cut, nodes, others, made[0], added), 0
    elif len(made) == 1 and any(_is_laid_out(border) for border in given):
        return *_laid_out(cut, nodes, given, made[0]), 0
    codes = any(node.op_type == "DequantizeLinear" for node in nodes)
    conv = kind in CONVOLUTIONS
    frame = primer(1, ["Softmax" if conv else "Relu"] * len(made), codes)
    return cut.alone(nodes, *_as_stored(nodes, given, made)), frame, len(made) if conv else 0


def _as_stored(
    nodes: Sequence[Any], given: Sequence[Border], made: Sequence[Border]
) -> tuple[Sequence[Border], Sequence[Border]]:
    """The borders of nodes that only move values: such a program needs no casts, it is one of what is stored."""
    moves = all(node.op_type in MOVES for node in nodes)
    if not moves or len({border.stored for border in (*given, *made)}) > 1:
        return given, made
    return [replace(b, kind=b.stored) for b in given], [replace(b, kind=b.stored) for b in made]


def _added_to(nodes: Sequence[Any], given: Sequence[Border], made: Border) -> str | None:
    """The input that a convolution's result is added to."""
    summed = {name for node in nodes if node.op_type == "Add" for name in node.input}
    alike = (border.name for border in given if border.shape == made.shape and len(border.shape) > 2)
    return next((name for name in alike if summed & {name, *_decoded(nodes, name)}), None)


def _with_sum(cut: Cut, nodes: Sequence[Any], given: Sequence[Border], made: Border, added: str) -> tuple[bytes, bytes]:
    """The convolution without its sum and then, with other weights, with it; and without the first alone."""
    first = f"{made.name}/first"
    inputs, read = entered(nodes, given)
    once = _without(read, added, {made.name: first})
    weights = {name: cut.constants[name] for node in nodes for name in node.input if _is_weight(cut, name)}
    made_names = [name for node in read for name in node.output if name != made.name]
    names = {name: f"{name}/again" for name in (*weights, *made_names)} | {added: first}
    if made.kind in FLOATS:  # numbers are added to then, not codes that would have to be decoded
        names |= {name: first for name in _decoded(read, added)}
        read = [node for node in read if not (node.op_type == "DequantizeLinear" and added in node.input)]
    again = [_renamed(node, names) for node in read]
    fixed = [_rolled(tensor, f"{name}/again") for name, tensor in weights.items()]
    frame, piece = (_pooled(made, name, "MaxPool") for name in (first, made.name))
    whole = cut.program([*once, *again, piece[0]], inputs, [piece[1]], fixed)
    return whole, cut.program([*once, frame[0]], inputs, [frame[1]])


def _laid_out(cut: Cut, nodes: Sequence[Any], given: Sequence[Border], made: Border) -> tuple[bytes, bytes]:
    """The piece behind convolutions that make its images, and these alone. Both end in as many poolings."""
    laid = [border for border in given if _is_laid_out(border)]
    inputs, read = entered(nodes, [border for border in given if border not in laid])
    fixed, outputs, before = [], [], []
    for border in laid:
        weight = np.linspace(-1, 1, border.shape[1], dtype=np.float32).reshape(-1, *[1] * (len(border.shape) - 1))
        fixed.append(numpy_helper.from_array(weight, f"{border.name}/weight"))
        source, shape = f"{border.name}/source", (border.shape[0], 1, *border.shape[2:])
        inputs.append(helper.make_tensor_value_info(source, TensorProto.FLOAT, shape))
        before.append(helper.make_node("Conv", [source, f"{border.name}/weight"], [border.name]))
        pooled, output = _pooled(border, border.name, "MaxPool")
        before.append(pooled)
        outputs.append(output)
    frame = _pooled(laid[0], laid[0].name, "AveragePool")
    kind = "AveragePool" if made.kind in FLOATS else "MaxPool"
    piece = _pooled(made, made.name, kind) if _is_image(made) else None
    ends = ([piece[0]], piece[1]) if piece else ([], made.plain.info(made.name))
    whole = cut.program([*before, *read, *ends[0]], inputs, [*outputs, ends[1]], fixed)
    return whole, cut.program([*before, frame[0]], inputs[-len(laid) :], [*outputs, frame[1]], fixed)


def _is_laid_out(border: Border) -> bool:
    """Whether it is an image of numbers in another layout than the natural one."""
    return _is_image(border) and border.kind == "f32"


def _is_image(border: Border) -> bool:
    return len(border.shape) > 2 and border.axes != sorted(border.axes)


def _pooled(border: Border, name: str, kind: str) -> tuple[Any, Any]:
    """A pooling that keeps one place of an image, and the output that it makes."""
    places = border.shape[2:]
    output = f"{name}/{kind}"
    node = helper.make_node(kind, [name], [output], kernel_shape=[1] * len(places), strides=places)
    return node, Border(output, border.kind, (*border.shape[:2], *[1] * len(places)), border.kind).info(output)


def _without(nodes: Sequence[Any], added: str, names: Mapping[str, str]) -> list[Any]:
    """The nodes without the addition of an activation."""
    gone = {added, *_decoded(nodes, added)}
    kept: list[Any] = []
    renamed = dict(names)
    for node in nodes:
        if node.op_type == "Add" and gone & set(node.input):
            other = next(name for name in node.input if name not in gone)
            if node.output[0] in names:  # the sum is what the piece makes
                kept = [_renamed(n, {other: names[node.output[0]]}) for n in kept]
            renamed[node.output[0]] = renamed.get(other, other)
        elif not gone & set(node.output):
            kept.append(_renamed(node, renamed))
    return kept


def _decoded(nodes: Sequence[Any], codes: str) -> list[str]:
    """The activations that are decoded from these codes."""
    return [node.output[0] for node in nodes if node.op_type == "DequantizeLinear" and node.input[0] == codes]


def _is_weight(cut: Cut, name: str) -> bool:
    """Whether it is a weight, a bias or their steps: constants that two layers don't share."""
    return name in cut.constants and cut.constants[name].dims and cut.constants[name].data_type != TensorProto.INT64


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    copy.name = ""
    copy.input[:] = [names.get(name, name) for name in node.input]
    copy.output[:] = [names.get(name, name) for name in node.output]
    return copy


def _rolled(tensor: Any, name: str) -> Any:
    """The same numbers in another order, so that nothing that was computed with the first can serve again."""
    return numpy_helper.from_array(np.roll(numpy_helper.to_array(tensor), 1), name)
