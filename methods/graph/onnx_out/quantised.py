"""How quantisers are written in ONNX: weights as codes behind DequantizeLinear, activations as codes and back.

The patterns are those that runtimes fuse into integer kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument, name_of
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import to_numpy
from methods.graph.ops import kind_of

SAFE = 64
"""Size of a weight's codes up to which two products with bytes add up in 16 bits: 2 x 255 x 64 is below 2^15."""


def _finer(e: Emitter, node: Any) -> int:
    """What codes of few bits are multiplied by, and their scale divided: biases are rounded to a multiple of it, which
    is coarse for weights of four bits."""
    plain = not bool(e.fold(node.args[2]).any())
    return max(1, SAFE // max(-int(node.args[4]), int(node.args[5]))) if plain else 1


def _scales(e: Emitter, node: Any) -> Any:
    """The scales `[out]` of a quantised weight as it is exported."""
    return (to_numpy(e.fold(node.args[1])) / _finer(e, node)).astype(np.float32)


def _int8_weight(e: Emitter, node: Any, transpose: bool) -> tuple[str, Any]:
    """A quantised weight as codes behind DequantizeLinear; returns its name and the scale `[out]`."""
    weight, scale, zero = (e.fold(a) for a in node.args[:3])
    axis, low, high = (int(a) for a in node.args[3:6])
    view = [1] * weight.dim()
    view[axis] = -1
    codes = (weight.detach().float() * (1.0 / scale).view(view)).round() + zero.view(view)
    array = to_numpy((codes.clamp(low, high) * _finer(e, node)).to(torch.int8))
    array, axis = (array.T, 1 - axis) if transpose else (array, axis)
    scales = _scales(e, node)
    name = f"{node.name}/t" if transpose else node.name
    zeros = e.constant(zero.numpy().astype(np.int8), f"{name}/zeros")  # never shared: onnxruntime may replace each
    inputs = [e.constant(array, f"{name}/codes"), e.constant(scales), zeros]
    return e.emit_all("DequantizeLinear", inputs, [name], axis=axis)[0], scales


def bias_of(e: Emitter, node: fx.Node, bias: Any, scales: Any) -> str:
    """A bias; as 32-bit codes where input and weight are quantised, which is what integer kernels want."""
    source = node.args[0]
    quantised = isinstance(source, fx.Node) and kind_of(source.target) == "quantize"
    if scales is None or not quantised or bias not in e.constants or not _is_byte(source):
        return e.value(bias)
    step = (number(e, source.args[1]) * scales).astype(np.float32)  # type: ignore[union-attr]
    codes = np.clip(np.round(to_numpy(e.fold(bias).float()) / step), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    inputs = [e.constant(codes), e.constant(step), e.constant(np.zeros(len(codes), np.int32))]
    return e.emit("DequantizeLinear", inputs, axis=0)


def in_codes(layer: fx.Node) -> bool:
    """Whether a layer's input and weight are codes of 8 bits, or fit into them: what integer kernels take."""
    source, weight = layer.args[:2]
    nodes = isinstance(source, fx.Node) and isinstance(weight, fx.Node)
    if not nodes or kind_of(layer.target) not in ("conv", "linear"):
        return False
    return _is_tensor_quantiser(source) and _is_byte(source) and _is_channel_quantiser(weight) and _fits(weight)


def weight_of(e: Emitter, layer: fx.Node, transpose: bool = False) -> tuple[str, Any]:
    """A layer's weight, or its transpose, and its scales if it is kept as codes.

    It is where the input is codes too; next to floats, runtimes would decode it at every call.
    """
    value: Any = layer.args[1]
    fixed = value in e.constants
    if fixed and in_codes(layer):
        known = f"{value.name}/t" if transpose else value.name
        if any(known in n.output for n in e.nodes):
            return known, _scales(e, value)
        return _int8_weight(e, value, transpose)
    if not transpose:
        return e.value(value), None
    if not fixed or len(value.users) > 1:
        return e.emit("Transpose", [e.value(value)], perm=[1, 0]), None
    return e.constant(to_numpy(e.fold(value).float().T), f"{e.stored(value)}/t"), None


def _is_tensor_quantiser(node: Any) -> bool:
    return node.op == "call_function" and name_of(node) == "fake_quantize_per_tensor_affine"


def _is_channel_quantiser(node: Any) -> bool:
    return node.op == "call_function" and name_of(node) == "fake_quantize_per_channel_affine"


def _fits(node: Any) -> bool:
    return int(node.args[4]) >= -128 and int(node.args[5]) <= 127


def _is_byte(node: Any) -> bool:
    return (int(node.args[3]), int(node.args[4])) in ((0, 255), (-128, 127))


def quantize(e: Emitter, node: fx.Node) -> str:
    """A quantiser of activations: codes and back, in steps of their own where the codes are not those of 8 bits."""
    scale, zero = number(e, node.args[1]), number(e, node.args[2])
    if not _is_byte(node):
        return _rounded(e, node, scale, zero)
    step = e.floats(scale)
    point = e.constant(np.array(zero, np.uint8 if node.args[3] == 0 else np.int8))
    return e.emit(
        "DequantizeLinear", [e.emit("QuantizeLinear", [e.value(node.args[0]), step, point]), step, point], node
    )


def _rounded(e: Emitter, node: fx.Node, scale: Any, zero: Any) -> str:
    """Codes and back as plain arithmetic."""
    low, high = (e.floats(float(argument(node, name))) for name in ("quant_min", "quant_max"))
    step, point = e.floats(scale), e.floats(zero)
    codes = e.emit("Round", [e.emit("Div", [e.value(node.args[0]), step])])
    codes = e.emit("Clip", [e.emit("Add", [codes, point]), low, high])
    return e.emit("Mul", [e.emit("Sub", [codes, point]), step], node)


def quantize_channels(e: Emitter, node: fx.Node) -> str:
    """A quantiser of activations with a scale for each entry of one axis."""
    view = [1] * len(e.shape(node))
    view[int(argument(node, "axis"))] = -1
    scale, zero = (e.fold(argument(node, name)).float().reshape(view).numpy() for name in ("scale", "zero_point"))
    return _rounded(e, node, scale, zero)


def number(e: Emitter, value: Any) -> float:
    """A number, or the only entry of a parameter."""
    return float(e.fold(value).reshape(-1)[0]) if isinstance(value, fx.Node) else float(value)


TABLE: Mapping[str, Translator] = {
    "fake_quantize_per_tensor_affine": quantize,
    "fake_quantize_per_channel_affine": quantize_channels,
    "_fake_quantize_learnable_per_tensor_affine": quantize,
    "_fake_quantize_learnable_per_channel_affine": quantize_channels,
}
