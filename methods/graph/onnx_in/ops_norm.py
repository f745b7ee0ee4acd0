"""Normalisation layers."""

from __future__ import annotations

import torch

from methods.graph.onnx_in.op import Op
from methods.graph.onnx_in.values import Grouped, Size, Value


def batch_norm(op: Op) -> Value:
    if op.integer("training_mode") or op.integer("spatial", 1) != 1:
        raise op.bad("is in training mode; export the model in evaluation mode (model.eval())")
    op.only_first()
    weight, shift = op.b.weight(op[1], "weight"), op.b.weight(op[2], "bias")
    mean = op.b.weight(op[3], "running_mean", trained=False)
    var = op.b.weight(op[4], "running_var", trained=False)
    momentum, eps = 1.0 - op.real("momentum", 0.9), op.real("epsilon", 1e-5)
    return op.b.call("batch_norm.default", op[0], weight, shift, mean, var, False, momentum, eps, False)


def layer_norm(op: Op) -> Value:
    op.only_first()
    shape = _shape(op)
    weight, bias = _affine(op, 1, "weight", shape), _affine(op, 2, "bias", shape)
    return op.b.call("layer_norm.default", op[0], shape, weight, bias, op.real("epsilon", 1e-5), False)


def rms_norm(op: Op) -> Value:
    """RMSNormalization and, under its older name, SimplifiedLayerNormalization."""
    op.only_first()
    shape = _shape(op)
    return op.b.call("rms_norm.default", op[0], shape, _affine(op, 1, "weight", shape), op.real("epsilon", 1e-5))


def _shape(op: Op) -> list[int]:
    axis = op.axis("axis", -1, op[0].rank)
    return [op[0].static(i) for i in range(axis, op[0].rank)]


def _affine(op: Op, position: int, leaf: str, shape: list[int]) -> Value | None:
    """A weight or bias of the normalised shape."""
    value = op.get(position)
    if value is None:
        return None
    if list(value.probes[0].shape) == shape:
        return op.b.weight(value, leaf)
    if value.live or value.probes[0].numel() not in (1, torch.Size(shape).numel()):
        raise op.bad(f"its {leaf} has the shape {list(value.probes[0].shape)}, not {shape}")
    flat = op.b.call("reshape.default", value, [-1] if value.probes[0].numel() == 1 else shape)
    return op.b.weight(op.b.call("expand.default", flat, shape), leaf)


def instance_norm(op: Op) -> Value:
    eps = op.real("epsilon", 1e-5)
    grouped = _grouped(op, eps)
    leaves = ("weight", "bias") if grouped is None else ("ones", "zeros")
    weight, bias = op.b.weight(op[1], leaves[0]), op.b.weight(op[2], leaves[1])
    made = op.b.call("instance_norm.default", op[0], weight, bias, None, None, True, 0.1, eps, False)
    made.grouped = grouped
    return made


def _grouped(op: Op, eps: float) -> Grouped | None:
    """Exporters write group normalisation as instance normalisation of the groups, with ones and zeros for weights."""
    x, source = op[0], op[0].parent
    if source is None or x.rank != 3 or source.rank < 2 or source.sizes[0] != x.sizes[0]:
        return None
    groups, channels = x.sizes[1], source.sizes[1]
    if isinstance(groups, Size) or isinstance(channels, Size) or channels % groups:
        return None
    plain = all(not v.live and bool((v.probes[0] == n).all()) for v, n in ((op[1], 1), (op[2], 0)))
    return Grouped(source, groups, eps) if plain else None


def group_norm(op: Op) -> Value:
    """Before operator set 21 there is one scale per group, since then one per channel."""
    groups, channels = op.integer("num_groups", 1), op[0].static(1)
    parts = []
    for position, leaf in ((1, "weight"), (2, "bias")):
        value = op[position]
        if not value.live and value.probes[0].numel() == groups != channels:
            value = op.b.call("repeat_interleave.self_int", value, channels // groups, 0)
        parts.append(op.b.weight(value, leaf))
    return op.b.call("group_norm.default", op[0], groups, *parts, op.real("epsilon", 1e-5), False)


def lp_normalize(op: Op) -> Value:
    """LpNormalization along one axis."""
    axis, p = op.axis("axis", -1, op[0].rank), op.integer("p", 2)
    parts = op.b.call("abs.default" if p == 1 else "square.default", op[0])
    size = op.b.call("sum.dim_IntList", parts, [axis], True)
    return op.b.call("div.Tensor", op[0], size if p == 1 else op.b.call("sqrt.default", size))


def mean_variance(op: Op) -> Value:
    """MeanVarianceNormalization."""
    axes = op.ints("axes", [0, 2, 3])
    centred = op.b.call("sub.Tensor", op[0], op.b.call("mean.dim", op[0], axes, True))
    power = op.b.call("mean.dim", op.b.call("square.default", centred), axes, True)
    return op.b.call("div.Tensor", centred, op.b.call("add.Tensor", op.b.call("sqrt.default", power), 1e-9))
