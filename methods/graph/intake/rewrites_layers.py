"""Rules for layers, poolings and reductions, where torch's own decomposition is wrong, worse or missing."""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import fx

from methods.graph.intake.rewriting import Rules, Site, listed, register
from methods.graph.nodes import name_of

aten = torch.ops.aten
RULES: Rules = {}


@register(RULES, "conv1d.padding", "conv2d.padding", "conv3d.padding")
def _padding_by_name(site: Site) -> fx.Node:
    """`same` and `valid` as numbers; an even kernel pads one more behind than before, as torch does."""
    value, weight = site.node.args[:2]
    kernel = [int(k) for k in site.fakes.of(weight).shape[2:]]  # type: ignore[arg-type]
    stride, dilation = listed(site.arg("stride"), kernel), listed(site.arg("dilation"), kernel)
    same = site.arg("padding") == "same"
    total = [d * (k - 1) if same else 0 for d, k in zip(dilation, kernel, strict=True)]
    before = [t // 2 for t in total]
    if any(t % 2 for t in total):
        extra = [x for t in reversed(total) for x in (0, t % 2)]
        value = site.call(aten.constant_pad_nd.default, value, extra)
    plain = getattr(aten, name_of(site.node)).default
    return site.call(plain, value, weight, site.arg("bias"), stride, before, dilation, site.arg("groups"))


@register(RULES, "max.dim", "min.dim")
def _extreme(site: Site) -> fx.Node | None:
    """Without the indices it is a plain reduction (equal values then share the gradient)."""
    plain = aten.amax if name_of(site.node) == "max" else aten.amin
    if site.only_first() is None:
        return None
    return site.call(plain.default, site.node.args[0], [site.node.args[1]], bool(site.arg("keepdim")))


@register(
    RULES, "max_pool1d_with_indices.default", "max_pool2d_with_indices.default", "max_pool3d_with_indices.default"
)
def _pool_without_indices(site: Site) -> fx.Node | None:
    plain = getattr(aten, name_of(site.node).removesuffix("_with_indices"))
    return None if site.only_first() is None else site.call(plain.default, *site.node.args, **site.node.kwargs)


@register(RULES, "adaptive_max_pool1d.default", "adaptive_max_pool2d.default", "adaptive_max_pool3d.default")
def _adaptive_pool(site: Site) -> fx.Node | None:
    """Where the sizes divide, it is a plain pooling."""
    rank = int(name_of(site.node)[-2])
    sizes = site.fakes.shape(site.node.args[0])[-rank:]  # type: ignore[arg-type]
    wanted = listed(site.node.args[1], [0] * rank)
    if site.only_first() is None or any(s is None or s % w for s, w in zip(sizes, wanted, strict=True)):
        return None
    steps = [int(s) // w for s, w in zip(sizes, wanted, strict=True)]  # type: ignore[arg-type]
    return site.call(getattr(aten, f"max_pool{rank}d").default, site.node.args[0], steps, steps)


@register(RULES, "addmm.default")
def _affine(site: Site) -> fx.Node | None:
    bias: Any = site.node.args[0]
    value, weight = site.node.args[1:3]
    if site.arg("beta") != 1 or site.arg("alpha") != 1:
        return None
    turned = _turned(weight)
    if turned is not None and len(site.fakes.of(bias).shape) == 1:
        return site.call(aten.linear.default, value, turned, bias)
    return site.call(aten.add.Tensor, site.call(aten.mm.default, value, weight), bias)


@register(RULES, "mm.default", "matmul.default")
def _layer_without_bias(site: Site) -> fx.Node | None:
    """A product with a parameter's transpose is a linear layer."""
    value, weight = site.node.args
    turned = _turned(weight)
    if turned is None or turned.op != "get_attr" or len(site.fakes.of(turned).shape) != 2:
        return None
    return site.call(aten.linear.default, value, turned)


def _turned(value: Any) -> fx.Node | None:
    """The matrix that `value` is the transpose of."""
    if not isinstance(value, fx.Node) or name_of(value) not in ("t", "transpose", "permute", "numpy_T", "mT"):
        return None
    axes = list(value.args[1]) if name_of(value) == "permute" else [1, 0]  # type: ignore[arg-type]
    return value.args[0] if [a % 2 for a in axes] == [1, 0] else None  # type: ignore[return-value]


@register(RULES, "_softmax.default", "_log_softmax.default")
def _plain_softmax(site: Site) -> fx.Node:
    plain = getattr(aten, name_of(site.node).removeprefix("_")).int
    return site.call(plain, *site.node.args[:2])


@register(RULES, "native_layer_norm.default")
def _layer_norm(site: Site) -> fx.Node | None:
    return None if site.only_first() is None else site.call(aten.layer_norm.default, *site.node.args)


@register(RULES, "native_group_norm.default")
def _group_norm(site: Site) -> fx.Node | None:
    value, weight, bias, *_, group, eps = site.node.args
    return None if site.only_first() is None else site.call(aten.group_norm.default, value, group, weight, bias, eps)


@register(RULES, "_native_batch_norm_legit_no_training.default", "_native_batch_norm_legit_functional.default")
def _batch_norm(site: Site) -> fx.Node | None:
    """The statistics that it also gives are kept by the plain operator itself."""
    given = list(site.node.args)
    if len(given) == 7:
        given.insert(5, False)
    users = [u for u in site.node.users if u.target is not operator.getitem or (u.args[1] != 0 and u.users)]
    return None if users else site.call(aten.batch_norm.default, *given, False)


@register(RULES, "convolution.default")
def _convolution(site: Site) -> fx.Node:
    value, weight, bias, stride, padding, dilation, transposed, output_padding, groups = site.node.args
    rank = len(site.fakes.of(weight).shape) - 2  # type: ignore[arg-type]
    lists = [listed(x, [0] * rank) for x in (stride, padding, dilation, output_padding)]
    if not transposed:
        plain = getattr(aten, f"conv{rank}d").default
        return site.call(plain, value, weight, bias, lists[0], lists[1], lists[2], groups)
    turned = aten.conv_transpose1d.default if rank == 1 else getattr(aten, f"conv_transpose{rank}d").input
    return site.call(turned, value, weight, bias, lists[0], lists[1], lists[3], groups, lists[2])


@register(RULES, "bilinear.default")
def _bilinear(site: Site) -> fx.Node:
    """A bilinear layer as the sum that it is."""
    left, right, weight, bias = (*site.node.args, None)[:4]
    rank = len(site.fakes.of(left).shape) - 1  # type: ignore[arg-type]
    batch = "abcdefgh"[:rank]
    value = site.call(aten.einsum.default, f"{batch}i,oij,{batch}j->{batch}o", [left, weight, right])
    return value if bias is None else site.call(aten.add.Tensor, value, bias)


@register(RULES, "cdist.default")
def _distances(site: Site) -> fx.Node:
    """Distances of all pairs as norms of differences, which have a gradient at zero."""
    left = site.call(aten.unsqueeze.default, site.node.args[0], -2)
    right = site.call(aten.unsqueeze.default, site.node.args[1], -3)
    return site.call(aten.linalg_vector_norm.default, site.call(aten.sub.Tensor, left, right), site.arg("p"), [-1])


@register(RULES, "embedding_bag.padding_idx", "embedding_bag.default")
def _embedding_bag(site: Site) -> fx.Node | None:
    """Bags of equal length (a 2-d input, which torch flattens and gives offsets): an embedding and a reduction."""
    weight: Any = site.node.args[0]
    flat: Any = site.node.args[1]
    offsets: Any = site.node.args[2]
    mode, per_sample = site.arg("mode"), site.arg("per_sample_weights")
    if not (isinstance(flat, fx.Node) and isinstance(offsets, fx.Node)) or per_sample is not None:
        return None
    bags: Any = flat.args[0]
    whole = name_of(flat) == "reshape" and name_of(offsets) == "arange"
    if site.only_first() is None or not whole or len(site.fakes.of(bags).shape) != 2 or _bag_pads(site):
        return None
    rows = site.call(aten.embedding.default, weight, bags)
    plain = (aten.sum.dim_IntList, aten.mean.dim, aten.amax.default)[int(mode)]
    return site.call(plain, rows, [1])


def _bag_pads(site: Site) -> bool:
    padding = site.arg("padding_idx")
    return isinstance(padding, int) and padding >= 0


@register(RULES, *(f"upsample_{n}.default" for n in ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d")))
@register(RULES, *(f"upsample_nearest{rank}d.default" for rank in (1, 2, 3)))
def _resize(site: Site) -> fx.Node:
    """The form that takes either a size or factors."""
    scales = [site.arg(name) for name in ("scales", "scales_d", "scales_h", "scales_w")]
    factors = [float(s) for s in scales if s is not None]
    size = None if factors else site.arg("output_size")
    corners = [] if "nearest" in name_of(site.node) else [site.arg("align_corners")]
    resize = getattr(aten, name_of(site.node)).vec
    return site.call(resize, site.node.args[0], size, *corners, factors or None)
