"""Every ATen operator that a Graph may hold, by kind: one table for reading, coupling, lowering and export.

An operator that isn't listed can't be read from a file, so nothing from outside chooses what is called.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

KINDS: dict[str, tuple[str, ...]] = {
    "conv": ("conv1d.default", "conv2d.default", "conv3d.default"),
    "conv_transpose": ("conv_transpose1d.default", "conv_transpose2d.input"),
    "linear": ("linear.default",),
    "matmul": ("matmul.default", "bmm.default", "mm.default", "scaled_dot_product_attention.default"),
    "batch_norm": ("batch_norm.default",),
    "norm": ("layer_norm.default", "group_norm.default", "instance_norm.default"),
    "pool": (
        "max_pool1d.default",
        "max_pool2d.default",
        "avg_pool1d.default",
        "avg_pool2d.default",
        "adaptive_avg_pool1d.default",
        "adaptive_avg_pool2d.default",
        "upsample_nearest2d.vec",
    ),
    "unary": (
        *(
            f"{name}.default"
            for name in ["relu", "relu6", "hardtanh", "sigmoid", "tanh", "gelu", "silu", "hardswish", "hardsigmoid"]
        ),
        *(
            f"{name}.default"
            for name in ["leaky_relu", "elu", "exp", "log", "sqrt", "rsqrt", "neg", "abs", "softplus", "erf", "clamp"]
        ),
        *("pow.Tensor_Scalar", "dropout.default", "clone.default", "contiguous.default", "alias.default"),
        *("detach.default", "to.dtype", "add.Scalar", "sub.Scalar", "mul.Scalar", "div.Scalar", "rsub.Scalar"),
    ),
    "binary": ("add.Tensor", "sub.Tensor", "mul.Tensor", "div.Tensor", "maximum.default", "minimum.default"),
    "move": (
        *("view.default", "reshape.default", "flatten.using_ints", "permute.default", "transpose.int", "t.default"),
        *("unsqueeze.default", "squeeze.dim", "expand.default", "cat.default", "stack.default"),
        *("split.Tensor", "split_with_sizes.default", "chunk.default", "slice.Tensor", "select.int", "unbind.int"),
        *("unflatten.int", "repeat.default"),
    ),
    "pad": ("constant_pad_nd.default", "pad.default"),
    "reduce": ("mean.dim", "sum.dim_IntList", "amax.default"),
    "softmax": ("softmax.int", "log_softmax.int"),
    "recurrent": ("lstm.input", "gru.input"),
    "embedding": ("embedding.default",),
    "lookup": ("index_select.default",),
    "quantize": ("fake_quantize_per_tensor_affine.default", "fake_quantize_per_channel_affine.default"),
    "create": ("zeros.default", "full.default"),
    "size": ("sym_size.int",),
}
"""Kind -> operators, without their `aten.` prefix."""

PYTHON: dict[str, Callable[..., Any]] = {
    "operator.getitem": operator.getitem,
    "operator.mul": operator.mul,
    "operator.add": operator.add,
    "operator.sub": operator.sub,
    "operator.floordiv": operator.floordiv,
}
"""Arithmetic on sizes, and the choice of one of several outputs."""

IN_PLACE = {"relu_", "relu6_", "hardtanh_", "sigmoid_", "tanh_", "silu_", "hardswish_", "hardsigmoid_", "leaky_relu_"}
IN_PLACE |= {"elu_", "add_", "sub_", "mul_", "div_", "dropout_", "clamp_"}
"""In-place operators that capture replaces by their plain twins."""


def _resolve(name: str) -> Callable[..., Any]:
    packet, overload = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)  # type: ignore[no-any-return]


TARGETS: dict[str, Callable[..., Any]] = PYTHON | {
    f"aten.{name}": _resolve(name) for names in KINDS.values() for name in names
}
"""Name in a file -> the function that it calls."""

NAMES: dict[Callable[..., Any], str] = {target: name for name, target in TARGETS.items()}
KIND_OF: dict[Callable[..., Any], str] = {
    TARGETS[f"aten.{name}"]: kind for kind, names in KINDS.items() for name in names
} | {target: "size" for target in PYTHON.values() if target is not operator.getitem}
KIND_OF[operator.getitem] = "getitem"


def kind_of(target: Any) -> str:
    """The kind of a call target; `unknown` for what isn't listed."""
    return KIND_OF.get(target, "unknown")
