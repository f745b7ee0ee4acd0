"""How layers are written in ONNX: convolutions, linear layers, attention, normalisation, pooling, quantisers."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from torch import fx

from methods.graph.emitter import Emitter, ExportError
from methods.graph.ops import kind_of


def arg(node: fx.Node, position: int, name: str, default: Any = None) -> Any:
    """Argument `position` (or keyword `name`) of a node."""
    if position < len(node.args):
        return node.args[position]
    return node.kwargs.get(name, default)


def _pair(value: Any, rank: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value or [])
    return values * rank if len(values) == 1 else values


def _int8_weight(e: Emitter, node: Any, transpose: bool) -> tuple[str, Any]:
    """A quantised weight as codes behind DequantizeLinear; returns its name and the scale `[out]`."""
    weight, scale, axis = e.fold(node.args[0]), e.fold(node.args[1]), int(node.args[3])
    view = [1] * weight.dim()
    view[axis] = -1
    codes = (weight / scale.view(view)).round().clamp(node.args[4], node.args[5]).numpy().astype(np.int8)
    codes, axis = (codes.T, 1 - axis) if transpose else (codes, axis)
    scales = scale.numpy().astype(np.float32)
    name = node.name + ("_t" if transpose else "")
    inputs = [e.constant(codes, name + "_codes"), e.constant(scales), e.constant(np.zeros(len(scales), np.int8))]
    return e.emit("DequantizeLinear", inputs, name=name, axis=axis), scales


def _bias(e: Emitter, node: fx.Node, bias: Any, scales: Any) -> str:
    """A bias; as 32-bit codes where input and weight are quantised, which is what integer kernels want."""
    source = node.args[0]
    if scales is None or not isinstance(source, fx.Node) or kind_of(source.target) != "quantize":
        return e.value(bias)
    step = (float(_number(e, source.args[1])) * scales).astype(np.float32)
    codes = np.clip(np.round(e.fold(bias).numpy() / step), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    inputs = [e.constant(codes), e.constant(step), e.constant(np.zeros(len(codes), np.int32))]
    name: str = e.emit("DequantizeLinear", inputs, axis=0)
    return name


def _weight(e: Emitter, value: Any, transpose: bool = False) -> tuple[str, Any]:
    if isinstance(value, fx.Node) and kind_of(value.target) == "quantize" and len(value.args) == 6:
        return _int8_weight(e, value, transpose)
    if transpose:
        return e.constant(e.fold(value).numpy().T, value.name + "_t"), None
    return e.value(value), None


def conv(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node)) - 2
    weight, scales = _weight(e, node.args[1])
    inputs = [e.value(node.args[0]), weight]
    if (bias := arg(node, 2, "bias")) is not None:
        inputs.append(_bias(e, node, bias, scales))
    name: str = e.emit(
        "Conv",
        inputs,
        name=node.name,
        strides=_pair(arg(node, 3, "stride", 1), rank),
        pads=_pair(arg(node, 4, "padding", 0), rank) * 2,
        dilations=_pair(arg(node, 5, "dilation", 1), rank),
        group=int(arg(node, 6, "groups", 1)),
    )
    return name


def conv_transpose(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node)) - 2
    inputs = [e.value(node.args[0]), e.value(node.args[1])]
    if (bias := arg(node, 2, "bias")) is not None:
        inputs.append(e.value(bias))
    name: str = e.emit(
        "ConvTranspose",
        inputs,
        name=node.name,
        strides=_pair(arg(node, 3, "stride", 1), rank),
        pads=_pair(arg(node, 4, "padding", 0), rank) * 2,
        output_padding=_pair(arg(node, 5, "output_padding", 0), rank),
        group=int(arg(node, 6, "groups", 1)),
        dilations=_pair(arg(node, 7, "dilation", 1), rank),
    )
    return name


def linear(e: Emitter, node: fx.Node) -> str:
    bias = arg(node, 2, "bias")
    flat = len(e.shape(node)) == 2
    weight, scales = _weight(e, node.args[1], transpose=not flat)
    if flat:
        inputs = [e.value(node.args[0]), weight] + ([] if bias is None else [_bias(e, node, bias, scales)])
        return e.emit("Gemm", inputs, name=node.name, transB=1)  # type: ignore[no-any-return]
    name = "" if bias is not None else node.name
    product = e.emit("MatMul", [e.value(node.args[0]), weight], name=name)
    return product if bias is None else e.emit("Add", [product, e.value(bias)], name=node.name)  # type: ignore[no-any-return]


def attention(e: Emitter, node: fx.Node) -> str:
    q, k, v = node.args[:3]
    rank = len(e.shape(k))
    order = [*range(rank - 2), rank - 1, rank - 2]
    scale = arg(node, 6, "scale") or 1.0 / sqrt(e.shape(q)[-1])
    keys = e.emit("Transpose", [e.value(k)], perm=order)
    scores = e.emit("MatMul", [e.emit("Mul", [e.value(q), e.value(float(scale))]), keys])
    mask = arg(node, 3, "attn_mask")
    if arg(node, 5, "is_causal", False):
        length, keys_length = e.shape(q)[-2], e.shape(k)[-2]
        scores = e.emit("Add", [scores, e.constant(np.triu(np.full((length, keys_length), -1e9, np.float32), 1))])
    elif mask is not None:
        scores = e.emit("Add", [scores, e.value(mask)])
    name: str = e.emit("MatMul", [e.emit("Softmax", [scores], axis=-1), e.value(v)], name=node.name)
    return name


def batch_norm(e: Emitter, node: fx.Node) -> str:
    channels = abs(e.shape(node)[1])
    names = [e.value(node.args[0])]
    for position, default in ((1, 1.0), (2, 0.0), (3, 0.0), (4, 1.0)):
        value = node.args[position]
        names.append(e.value(value) if value is not None else e.constant(np.full(channels, default, np.float32)))
    name: str = e.emit("BatchNormalization", names, name=node.name, epsilon=float(arg(node, 7, "eps", 1e-5)))
    return name


def layer_norm(e: Emitter, node: fx.Node) -> str:
    size = tuple(arg(node, 1, "normalized_shape"))
    weight, bias = arg(node, 2, "weight"), arg(node, 3, "bias")
    inputs = [e.value(node.args[0]), e.value(weight) if weight else e.constant(np.ones(size, np.float32))]
    if bias is not None:
        inputs.append(e.value(bias))
    epsilon = float(arg(node, 4, "eps", 1e-5))
    name: str = e.emit("LayerNormalization", inputs, name=node.name, axis=-len(size), epsilon=epsilon)
    return name


def group_norm(e: Emitter, node: fx.Node) -> str:
    groups, shape = int(arg(node, 1, "num_groups")), e.shape(node)
    ones, zeros = e.constant(np.ones(groups, np.float32)), e.constant(np.zeros(groups, np.float32))
    folded = e.emit("Reshape", [e.value(node.args[0]), e.ints([0, groups, -1])])
    value = e.emit("InstanceNormalization", [folded, ones, zeros], epsilon=float(arg(node, 4, "eps", 1e-5)))
    value = e.emit("Reshape", [value, e.reshape_target(shape)])
    view = (abs(shape[1]), *[1] * (len(shape) - 2))
    for op, parameter in (("Mul", arg(node, 2, "weight")), ("Add", arg(node, 3, "bias"))):
        if parameter is not None:
            value = e.emit(op, [value, e.constant(e.fold(parameter).numpy().reshape(view))])
    return value  # type: ignore[no-any-return]


def instance_norm(e: Emitter, node: fx.Node) -> str:
    channels = abs(e.shape(node)[1])
    weight, bias = node.args[1], node.args[2]
    scale = e.value(weight) if weight is not None else e.constant(np.ones(channels, np.float32))
    shift = e.value(bias) if bias is not None else e.constant(np.zeros(channels, np.float32))
    epsilon = float(arg(node, 7, "eps", 1e-5))
    name: str = e.emit("InstanceNormalization", [e.value(node.args[0]), scale, shift], name=node.name, epsilon=epsilon)
    return name


def pool(e: Emitter, node: fx.Node) -> str:
    rank = len(e.shape(node)) - 2
    largest = "max" in str(node.target)
    kernel = _pair(node.args[1], rank)
    settings: dict[str, Any] = {
        "kernel_shape": kernel,
        "strides": _pair(arg(node, 2, "stride") or kernel, rank),
        "pads": _pair(arg(node, 3, "padding", 0), rank) * 2,
    }
    if largest:
        settings["dilations"] = _pair(arg(node, 4, "dilation", 1), rank)
        settings["ceil_mode"] = int(arg(node, 5, "ceil_mode", False))
    else:
        settings["ceil_mode"] = int(arg(node, 4, "ceil_mode", False))
        settings["count_include_pad"] = int(arg(node, 5, "count_include_pad", True))
    op = "MaxPool" if largest else "AveragePool"
    return e.emit(op, [e.value(node.args[0])], name=node.name, **settings)  # type: ignore[no-any-return]


def adaptive_pool(e: Emitter, node: fx.Node) -> str:
    source: Any = node.args[0]
    before, after = e.shape(source)[2:], e.shape(node)[2:]
    if all(size == 1 for size in after):
        return e.emit("GlobalAveragePool", [e.value(source)], name=node.name)  # type: ignore[no-any-return]
    if any(b % a for b, a in zip(before, after, strict=True)):
        raise ExportError(f"node {node.name}: adaptive pooling from {before} to {after} has no ONNX form")
    kernel = [b // a for b, a in zip(before, after, strict=True)]
    settings: dict[str, Any] = {"kernel_shape": kernel, "strides": kernel}
    return e.emit("AveragePool", [e.value(source)], name=node.name, **settings)  # type: ignore[no-any-return]


def quantize(e: Emitter, node: fx.Node) -> str:
    """A quantiser of activations: codes and back."""
    scale = e.constant(np.array(_number(e, node.args[1]), np.float32))
    low, high = int(node.args[3]), int(node.args[4])  # type: ignore[arg-type]
    if (low, high) not in ((0, 255), (-128, 127)):
        raise ExportError(f"node {node.name}: activations of {low} to {high} have no ONNX codes; use 8 bits")
    zero = e.constant(np.array(_number(e, node.args[2]), np.uint8 if low == 0 else np.int8))
    codes = e.emit("QuantizeLinear", [e.value(node.args[0]), scale, zero])
    return e.emit("DequantizeLinear", [codes, scale, zero], name=node.name)  # type: ignore[no-any-return]


def _number(e: Emitter, value: Any) -> float:
    return float(e.fold(value).reshape(-1)[0]) if isinstance(value, fx.Node) else float(value)
