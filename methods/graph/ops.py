"""Every operator that a Graph may hold, by kind: one table for reading, coupling, lowering and export.

ATen's, and one of our own (`own_ops.py`).

An operator that isn't listed can't be read from a file, so nothing from outside chooses what is called. All of them
are functional: capture and the readers replace in-place operators by their plain twins, other spellings of a listed
operator by it, and what is left by torch's own decomposition where the pieces are listed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from methods.graph.own_ops import SNAP

_TABLE: dict[str, str] = {
    "conv": "conv1d conv2d conv3d",
    "conv_transpose": "conv_transpose1d conv_transpose2d.input conv_transpose3d.input",
    "linear": "linear",
    "matmul": "matmul bmm mm",
    "attention": "scaled_dot_product_attention",
    "einsum": "einsum",
    "batch_norm": "batch_norm",
    "norm": "layer_norm group_norm instance_norm rms_norm",
    "pool": """
        max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        upsample_nearest1d.vec upsample_nearest2d.vec upsample_nearest3d.vec
        upsample_linear1d.vec upsample_bilinear2d.vec upsample_trilinear3d.vec upsample_bicubic2d.vec
        _upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec _upsample_nearest_exact3d.vec
        _upsample_bilinear2d_aa.vec _upsample_bicubic2d_aa.vec
    """,
    "unary": """
        relu relu6 hardtanh leaky_relu elu celu selu rrelu threshold sigmoid hardsigmoid log_sigmoid tanh
        gelu silu hardswish mish softplus hardshrink softshrink
        exp exp2 expm1 log log2 log10 log1p sqrt rsqrt square reciprocal pow.Tensor_Scalar
        neg abs sign sgn floor ceil round round.decimals trunc frac clamp clamp_min clamp_max
        sin cos tan asin acos atan sinh cosh asinh acosh atanh erf erfc logit sinc nan_to_num
        isnan isinf isfinite logical_not bitwise_not
        add.Scalar sub.Scalar mul.Scalar div.Scalar div.Scalar_mode rsub.Scalar remainder.Scalar fmod.Scalar
        eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar
        bitwise_and.Scalar bitwise_or.Scalar bitwise_xor.Scalar
        dropout feature_dropout alpha_dropout feature_alpha_dropout
        clone contiguous alias detach to.dtype
    """,
    "binary": """
        add.Tensor sub.Tensor mul.Tensor div.Tensor div.Tensor_mode rsub.Tensor remainder.Tensor fmod.Tensor
        floor_divide pow.Tensor_Tensor pow.Scalar atan2 hypot maximum minimum fmax fmin logaddexp
        eq.Tensor ne.Tensor lt.Tensor le.Tensor gt.Tensor ge.Tensor
        logical_and logical_or logical_xor bitwise_and.Tensor bitwise_or.Tensor bitwise_xor.Tensor
        where.self where.ScalarSelf where.ScalarOther where.Scalar masked_fill.Scalar masked_fill.Tensor
        clamp.Tensor addcmul addcdiv lerp.Scalar lerp.Tensor prelu
    """,
    "move": """
        view reshape flatten.using_ints unflatten.int permute transpose.int t movedim.int movedim.intlist
        unsqueeze squeeze squeeze.dim squeeze.dims expand expand_as repeat tile repeat_interleave.self_int
        cat stack split.Tensor split_with_sizes chunk unbind.int slice.Tensor select.int narrow
        roll flip rot90 unfold diagonal pixel_shuffle pixel_unshuffle channel_shuffle
    """,
    "pad": "constant_pad_nd pad",
    "reduce": """
        mean mean.dim sum sum.dim_IntList prod prod.dim_int amax amin argmax argmin logsumexp
        var.dim var.correction std.dim std.correction norm.ScalarOpt_dim linalg_vector_norm
        any any.dim any.dims all all.dim all.dims
    """,
    "softmax": "softmax.int log_softmax.int cumsum cumprod",
    "recurrent": "lstm.input gru.input rnn_tanh.input rnn_relu.input",
    "embedding": "embedding",
    "lookup": "index_select gather index.Tensor",
    "quantize": """
        fake_quantize_per_tensor_affine fake_quantize_per_channel_affine
        _fake_quantize_learnable_per_tensor_affine _fake_quantize_learnable_per_channel_affine
    """,
    "create": """
        zeros ones full arange arange.start arange.start_step eye eye.m linspace scalar_tensor
        zeros_like ones_like full_like new_zeros new_ones new_full tril triu
    """,
    "size": "sym_size.int sym_numel",
    "glu": "glu",
    "other": """
        max.dim min.dim topk sort sort.stable argsort one_hot var_mean.correction std_mean.correction
        max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
        adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        im2col col2im grid_sampler affine_grid_generator
        scatter.src scatter.value scatter_add index_add index_put slice_scatter select_scatter
        bucketize.Tensor searchsorted.Tensor
    """,
}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name if "." in name else f"{name}.default" for name in text.split())


KINDS: dict[str, tuple[str, ...]] = {kind: _names(text) for kind, text in _TABLE.items()}
"""Kind -> operators, without their `aten.` prefix. What a kind promises to whoever walks a graph:

- pool: `[batch, channels, ...]` in and out, each channel by itself.
- unary: elementwise; the first argument is the tensor. binary: elementwise with broadcasting over all its tensors.
- move: every number of the result is one of the first argument (or list of arguments).
- reduce: over the given axes (all of them where none are given). softmax: along one axis, shape kept.
- quantize: rounds its first argument to evenly spaced codes. snap: rounds it to any levels.
- create: depends on nothing but sizes and types (`tril` and `triu`: on a value made so, or on any other).
- other: allowed, and nothing is promised; several have more than one output.
"""

PYTHON: dict[str, Callable[..., Any]] = {
    "operator.getitem": operator.getitem,
    "operator.mul": operator.mul,
    "operator.add": operator.add,
    "operator.sub": operator.sub,
    "operator.floordiv": operator.floordiv,
    "operator.mod": operator.mod,
    "operator.neg": operator.neg,
}
"""Arithmetic on sizes, and the choice of one of several outputs."""


def _resolve(name: str) -> Callable[..., Any]:
    packet, overload = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)  # type: ignore[no-any-return]


OWN: dict[str, Callable[..., Any]] = {"fitwright.snap.default": SNAP}
TARGETS: dict[str, Callable[..., Any]] = PYTHON | OWN
TARGETS |= {f"aten.{name}": _resolve(name) for names in KINDS.values() for name in names}
"""Name in a file -> the function that it calls."""

NAMES: dict[Callable[..., Any], str] = {target: name for name, target in TARGETS.items()}
KIND_OF: dict[Callable[..., Any], str] = {
    TARGETS[f"aten.{name}"]: kind for kind, names in KINDS.items() for name in names
} | {target: "size" for target in PYTHON.values() if target is not operator.getitem}
KIND_OF |= {operator.getitem: "getitem", SNAP: "snap"}


def kind_of(target: Any) -> str:
    """The kind of a call target; `unknown` for what isn't listed."""
    return KIND_OF.get(target, "unknown")
