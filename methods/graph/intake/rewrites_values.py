"""Rules for casts, constants, copies and random paths, where torch's own decomposition is wrong, worse or missing."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from methods.graph.intake.rewriting import Rules, Site, overload, register
from methods.graph.nodes import name_of

aten = torch.ops.aten
RULES: Rules = {}


@register(RULES, "to.dtype", "to.device", "to.dtype_layout", "to.other", "type_as.default", "_to_copy.default")
def _cast(site: Site) -> fx.Node | None:
    """Moves between devices and layouts mean nothing here; what is left is the change of type, if any."""
    source: Any = site.node.args[0]
    if site.node.target is aten.to.dtype and len(site.node.args) == 2 and not site.node.kwargs:
        return None
    other = site.arg("other")
    dtype = site.fakes.of(other).dtype if isinstance(other, fx.Node) else site.arg("dtype")
    if dtype is None or dtype == site.fakes.of(source).dtype:
        return site.call(aten.alias.default, source)
    return site.call(aten.to.dtype, source, dtype)


@register(RULES, "empty.memory_format", "empty_like.default", "new_empty.default", "new_empty_strided.default")
def _unset(site: Site) -> fx.Node:
    """Memory that is about to be overwritten starts as zeros."""
    plain = {"empty": aten.zeros, "empty_like": aten.zeros_like}.get(name_of(site.node), aten.new_zeros)
    args = site.node.args[: 1 if name_of(site.node) in ("empty", "empty_like") else 2]
    kwargs = {"dtype": site.arg("dtype")} if site.arg("dtype") is not None else {}
    return site.call(plain.default, *args, **kwargs)


@register(RULES, "fill.Scalar", "zero.default")
def _fill(site: Site) -> fx.Node:
    return site.call(aten.full_like.default, site.node.args[0], site.arg("value") or 0)


@register(RULES, "fill.Tensor", "copy.default")
def _copy(site: Site) -> fx.Node:
    """The second operand in the shape and type of the first."""
    into: Any = site.node.args[0]
    value: Any = site.node.args[1]
    dtype = site.fakes.of(into).dtype
    if site.fakes.of(value).dtype != dtype:
        value = site.call(aten.to.dtype, value, dtype)
    return site.call(aten.expand_as.default, value, into)


@register(RULES, "bernoulli.p", "bernoulli.default")
def _bernoulli(site: Site) -> fx.Node | None:
    """Random paths (stochastic depth) as a dropout of ones, which evaluation mode switches off like any other: 1 with
    probability p in training, p (what they are on average) in evaluation."""
    p = site.arg("p") if overload(site.node) == "p" else None
    if not isinstance(p, float) or not 0 < p <= 1:
        return None
    return _keep(site, site.call(aten.ones_like.default, site.node.args[0]), p)


def _keep(site: Site, ones: fx.Node, p: float) -> fx.Node:
    return site.call(aten.mul.Scalar, site.call(aten.dropout.default, ones, 1.0 - p, True), p)


@register(RULES, "rand.default", "rand_like.default")
def _random_path(site: Site) -> fx.Node | None:
    """`floor(p + rand)`, the older spelling of stochastic depth."""
    add = next(iter(site.node.users), None)
    if add is None or len(site.node.users) != 1 or name_of(add) != "add":
        return None
    p = next((a for a in add.args if isinstance(a, float)), None)
    ends = list(add.users)
    if p is None or not 0 < p < 1 or any(name_of(u) != "floor" for u in ends):
        return None
    like = name_of(site.node) == "rand_like"
    ones = site.call(aten.ones_like.default if like else aten.ones.default, site.node.args[0])
    kept = _keep(site, ones, p)
    for end in ends:
        end.replace_all_uses_with(kept)
    return kept
