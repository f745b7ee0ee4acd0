"""Activations that have settings of their own."""

from __future__ import annotations

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Value, constant


def leaky_relu(op: Op) -> Value:
    return op.b.call("leaky_relu.default", op[0], op.real("alpha", 0.01))


def elu(op: Op) -> Value:
    return op.b.call("elu.default", op[0], op.real("alpha", 1.0))


def selu(op: Op) -> Value:
    alpha, gamma = op.real("alpha", 1.6732632423543772), op.real("gamma", 1.0507009873554805)
    return op.b.call("elu.default", op[0], alpha, gamma)


def celu(op: Op) -> Value:
    alpha = op.real("alpha", 1.0)
    return op.b.call("elu.default", op[0], alpha, 1.0, 1.0 / alpha)


def gelu(op: Op) -> Value:
    return op.b.call("gelu.default", op[0], approximate=op.text("approximate", "none"))


def quick_gelu(op: Op) -> Value:
    gate = op.b.call("sigmoid.default", op.b.call("mul.Tensor", op[0], op.real("alpha", 1.702)))
    return op.b.call("mul.Tensor", op[0], gate)


def swish(op: Op) -> Value:
    alpha = op.real("alpha", 1.0)
    if alpha == 1.0:
        return op.b.call("silu.default", op[0])
    gate = op.b.call("sigmoid.default", op.b.call("mul.Tensor", op[0], alpha))
    return op.b.call("mul.Tensor", op[0], gate)


def hard_sigmoid(op: Op) -> Value:
    alpha, beta = op.real("alpha", 0.2), op.real("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return op.b.call("hardsigmoid.default", op[0])
    line = op.b.call("add.Tensor", op.b.call("mul.Tensor", op[0], alpha), beta)
    return op.b.call("clamp.default", line, 0.0, 1.0)


def softsign(op: Op) -> Value:
    below = op.b.call("add.Tensor", op.b.call("abs.default", op[0]), 1.0)
    return op.b.call("div.Tensor", op[0], below)


def thresholded_relu(op: Op) -> Value:
    return op.b.call("threshold.default", op[0], op.real("alpha", 1.0), 0.0)


def shrink(op: Op) -> Value:
    bias, limit = op.real("bias", 0.0), op.real("lambd", 0.5)
    name = "hardshrink.default" if bias == 0.0 else "softshrink.default"
    if bias not in (0.0, limit):
        raise op.bad("a bias other than 0 and lambd is not supported; write it with Where")
    return op.b.call(name, op[0], limit)


def prelu(op: Op) -> Value:
    """A slope per channel is a parameter; any other shape of slope is written with two halves."""
    value, slope = op[0], op[1]
    shape = [1] * (value.rank - slope.rank) + list(slope.probes[0].shape)
    if not slope.live and value.rank >= 2 and all(s == 1 for i, s in enumerate(shape) if i != 1):
        flat = slope if slope.rank == 1 else op.b.call("reshape.default", slope, [-1])
        flat.name = slope.name
        return op.b.call("prelu.default", value, op.b.weight(flat, "weight"))
    below = op.b.call("clamp.default", value, None, 0.0)
    above = op.b.call("relu.default", value)
    return op.b.call("add.Tensor", above, op.b.call("mul.Tensor", below, op.b.weight(slope, "weight")))


def softmax(op: Op) -> Value:
    """Softmax along an axis; before operator set 13 over all axes from that one on."""
    value, old = op[0], op.version < 13
    axis = op.axis("axis", 1 if old else -1, value.rank)
    name = "softmax.int" if op.kind == "Softmax" else "log_softmax.int"
    if not old or axis == value.rank - 1:
        return op.b.call(name, value, axis)
    sizes = value.sizes
    if all(size == 1 for size in sizes[axis + 1 :]):
        return op.b.call(name, value, axis)
    count = 1
    for position in range(axis, value.rank):
        count *= value.static(position)
    flat = op.b.reshape(value, [*sizes[:axis], count])
    return op.b.reshape(op.b.call(name, flat, axis), sizes)


def dropout(op: Op) -> list[Value]:
    """Nothing in evaluation mode; the rate comes back in training."""
    if op.version >= 12:
        rate = op.scalar(1)
        rate = 0.5 if rate is None else rate
    else:
        rate = op.real("ratio", 0.5)
    if op.b.uses.get(op.outputs[1] if len(op.outputs) > 1 else ""):
        raise op.bad("its mask is used, but only the value is supported")
    if not 0.0 <= rate < 1.0:
        raise op.bad(f"a rate of {rate} is not between 0 and 1")
    return [op.b.call("dropout.default", op[0], rate, False) if op[0].live else op[0]]


def one_hot(op: Op) -> Value:
    """Ones where an index is named, written as a comparison."""
    index, depth = op[0], op.whole(1)
    ends = op[2]
    if depth is None or ends.live:
        raise op.bad("its depth and values must be known")
    axis = op.axis("axis", -1, index.rank + 1)
    shape = [1] * (index.rank + 1)
    shape[axis] = depth[0]
    op.b.reaches(index, depth[0])
    classes = constant(torch.arange(depth[0], dtype=index.dtype).reshape(shape))
    hit = op.b.call("eq.Tensor", op.b.call("unsqueeze.default", index, axis), classes)
    made = op.b.call("to.dtype", hit, ends.dtype)
    off, on = ends.probes[0].tolist()
    if (off, on) != (0, 1):
        made = op.b.call("add.Tensor", op.b.call("mul.Tensor", made, on - off), off)
    return made
