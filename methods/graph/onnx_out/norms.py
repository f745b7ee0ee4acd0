"""How normalisation is written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import refuse


def _or(e: Emitter, value: Any, count: int, default: float) -> str:
    """A vector of the network, or one of equal numbers."""
    return e.value(value) if value is not None else e.floats(np.full(count, default))


def batch_norm(e: Emitter, node: fx.Node) -> str:
    """With running statistics, or with those of the batch where the network keeps none."""
    channels = e.shape(node)[1]
    if channels < 0:
        raise refuse(node, "its channels change with the batch", "normalise along an axis of fixed size")
    if argument(node, "running_mean") is None:
        return _by_batch(e, node)
    names = [e.value(node.args[0])]
    for name, default in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
        names.append(_or(e, argument(node, name), channels, default))
    return e.emit("BatchNormalization", names, node, epsilon=float(argument(node, "eps")))


def _by_batch(e: Emitter, node: fx.Node) -> str:
    shape = e.shape(node)
    axes = [axis for axis in range(len(shape)) if axis != 1]
    value = _standard(e, e.value(node.args[0]), axes, float(argument(node, "eps")))
    return _affine(e, node, value, (shape[1], *[1] * (len(shape) - 2)))


def _standard(e: Emitter, value: str, axes: list[int], epsilon: float) -> str:
    """A value with mean 0 and variance 1 over some axes."""
    gap = e.emit("Sub", [value, e.emit("ReduceMean", [value, e.ints(axes)])])
    variance = e.emit("ReduceMean", [e.emit("Mul", [gap, gap]), e.ints(axes)])
    return e.emit("Div", [gap, e.emit("Sqrt", [e.emit("Add", [variance, e.floats(epsilon)])])])


def _affine(e: Emitter, node: fx.Node, value: str, view: tuple[int, ...]) -> str:
    """Weight and bias, where there are any, along one axis; the last step takes the node's name."""
    steps = [
        (op, argument(node, name))
        for op, name in (("Mul", "weight"), ("Add", "bias"))
        if argument(node, name) is not None
    ]
    for place, (op, parameter) in enumerate(steps):
        last = node if place == len(steps) - 1 else None
        operand = e.reshape(e.value(parameter), view) if parameter not in e.constants else _shaped(e, parameter, view)
        value = e.emit(op, [value, operand], last)
    return value if steps else e.emit("Identity", [value], node)


def _shaped(e: Emitter, parameter: fx.Node, view: tuple[int, ...]) -> str:
    return e.floats(e.fold(parameter).detach().to(torch.float32).reshape(view).numpy())


def layer_norm(e: Emitter, node: fx.Node) -> str:
    size = [int(s) for s in argument(node, "normalized_shape")]
    weight, bias = argument(node, "weight"), argument(node, "bias")
    inputs = [e.value(node.args[0]), e.value(weight) if weight is not None else e.floats(np.ones(size))]
    if bias is not None:
        inputs.append(e.value(bias))
    return e.emit("LayerNormalization", inputs, node, axis=-len(size), epsilon=float(argument(node, "eps")))


def rms_norm(e: Emitter, node: fx.Node) -> str:
    """x / sqrt(mean(x^2) + eps), in the steps that onnxruntime fuses."""
    size, weight, value = argument(node, "normalized_shape"), argument(node, "weight"), e.value(node.args[0])
    epsilon = argument(node, "eps")
    epsilon = torch.finfo(e.dtype(node)).eps if epsilon is None else float(epsilon)
    axes = e.ints(list(range(-len(size), 0)))
    mean = e.emit("ReduceMean", [e.emit("Pow", [value, e.floats(2)]), axes])
    root = e.emit("Sqrt", [e.emit("Add", [mean, e.floats(epsilon)])])
    if weight is None:
        return e.emit("Div", [value, root], node)
    return e.emit("Mul", [e.emit("Div", [value, root]), e.value(weight)], node)


def group_norm(e: Emitter, node: fx.Node) -> str:
    groups, shape = int(argument(node, "num_groups")), e.shape(node)
    if shape[1] < 0:
        raise refuse(node, "its channels change with the batch", "normalise along an axis of fixed size")
    folded = e.emit("Reshape", [e.value(node.args[0]), e.ints([0, groups, -1])])
    names = [folded, e.floats(np.ones(groups)), e.floats(np.zeros(groups))]
    value = e.reshape(e.emit("InstanceNormalization", names, epsilon=float(argument(node, "eps"))), shape)
    return _affine(e, node, value, (shape[1], *[1] * (len(shape) - 2)))


def instance_norm(e: Emitter, node: fx.Node) -> str:
    """Each channel of each sample by itself, or with running statistics as batch normalisation."""
    channels, epsilon = e.shape(node)[1], float(argument(node, "eps"))
    names = [
        e.value(node.args[0]),
        _or(e, argument(node, "weight"), channels, 1),
        _or(e, argument(node, "bias"), channels, 0),
    ]
    if argument(node, "running_mean") is None:
        return e.emit("InstanceNormalization", names, node, epsilon=epsilon)
    names += [e.value(argument(node, "running_mean")), e.value(argument(node, "running_var"))]
    return e.emit("BatchNormalization", names, node, epsilon=epsilon)


TABLE: Mapping[str, Translator] = {
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
}
