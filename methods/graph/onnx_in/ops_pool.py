"""Pooling: windows with uneven padding are padded first, averages that leave padding out are scaled back."""

from __future__ import annotations

from math import inf, prod

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.ops_layers import spatial, window
from methods.graph.onnx_in.ops_lookup import padded
from methods.graph.onnx_in.values import Value, constant

ADAPTIVE = ("adaptive_avg_pool1d.default", "adaptive_avg_pool2d.default")


def max_pool(op: Op) -> Value:
    op.only_first()
    kernel, sizes, value = op.ints("kernel_shape"), spatial(op), op[0]
    strides, dilations, before, after = window(op, kernel, sizes)
    ceil = bool(op.integer("ceil_mode"))
    small = all(2 * p <= k for p, k in zip(before, kernel, strict=True))
    if before != after or not small:
        value = padded(op, value, [0, 0, *before], [0, 0, *after], "constant", -inf)
        before = [0] * len(kernel)
    name = f"max_pool{len(kernel)}d.default"
    return op.b.call(name, value, kernel, strides, before, dilations, ceil)


def average_pool(op: Op) -> Value:
    kernel, sizes, value = op.ints("kernel_shape"), spatial(op), op[0]
    strides, dilations, before, after = window(op, kernel, sizes)
    if any(d != 1 for d in dilations):
        raise op.bad("dilated average pooling is not supported; use a depthwise Conv with equal weights")
    ceil, inside = bool(op.integer("ceil_mode")), bool(op.integer("count_include_pad"))
    name = f"avg_pool{len(kernel)}d.default"
    small = all(2 * p <= k for p, k in zip(before, kernel, strict=True))
    if before == after and small:
        return op.b.call(name, value, kernel, strides, before, ceil, inside or not any(before))
    return _uneven(op, (kernel, strides, before, after), ceil, inside)


def _uneven(op: Op, settings: tuple[list[int], ...], ceil: bool, inside: bool) -> Value:
    kernel, strides, before, after = settings
    name, zeros = f"avg_pool{len(kernel)}d.default", [0] * len(kernel)
    value = padded(op, op[0], [0, 0, *before], [0, 0, *after], "constant", 0.0)
    made = op.b.call(name, value, kernel, strides, zeros, ceil, True)
    if inside:
        return made
    ones = constant(torch.ones([1, 1, *spatial(op)]))
    held = padded(op, ones, [0, 0, *before], [0, 0, *after], "constant", 0.0)
    share = op.b.call(name, held, kernel, strides, zeros, ceil, True)
    return op.b.call("mul.Tensor", made, op.b.call("reciprocal.default", share))


def lp_pool(op: Op) -> Value:
    """The p-norm over windows, from an average over them."""
    kernel, sizes, p = op.ints("kernel_shape"), spatial(op), float(op.integer("p", 2))
    strides, dilations, before, after = window(op, kernel, sizes)
    if any(d != 1 for d in dilations) or op.integer("ceil_mode"):
        raise op.bad("dilations and ceil_mode are not supported here; use AveragePool of powers")
    powers = op.b.call("pow.Tensor_Scalar", op.b.call("abs.default", op[0]), p)
    powers = padded(op, powers, [0, 0, *before], [0, 0, *after], "constant", 0.0)
    zeros = [0] * len(kernel)
    made = op.b.call(f"avg_pool{len(kernel)}d.default", powers, kernel, strides, zeros, False, True)
    return op.b.call("pow.Tensor_Scalar", op.b.call("mul.Tensor", made, float(prod(kernel))), 1.0 / p)


def global_average(op: Op) -> Value:
    rank = op[0].rank - 2
    if rank in (1, 2):
        return op.b.call(ADAPTIVE[rank - 1], op[0], [1] * rank)
    return op.b.call("mean.dim", op[0], list(range(2, op[0].rank)), True)


def global_max(op: Op) -> Value:
    return op.b.call("amax.default", op[0], list(range(2, op[0].rank)), True)


def global_lp(op: Op) -> Value:
    p = float(op.integer("p", 2))
    powers = op.b.call("pow.Tensor_Scalar", op.b.call("abs.default", op[0]), p)
    made = op.b.call("sum.dim_IntList", powers, list(range(2, op[0].rank)), True)
    return op.b.call("pow.Tensor_Scalar", made, 1.0 / p)
