"""settled: a graph without leftovers of training: what was rounded on the fly stands there as it came out.

Weights that snap to levels become look-ups of those levels, learned steps become fixed ones. The values are the same,
and the full numbers behind them are gone: this is what is stored and exported.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument, name_of
from methods.graph.ops import TARGETS, kind_of
from methods.graph.own_ops import cells
from methods.graph.surgery.forms import look_up, mask_weight, scale_inside
from methods.graph.values import value_of
from methods.graph.weight_chain import chain_of

LEARNED = "_fake_quantize_learnable_per_"
MOST_LEVELS = 256
"""Levels that a codebook can hold; weights with a row of more of them for each channel stay as they are."""


def settled(graph: Graph) -> Graph:
    """The same network for good; the graph itself where there is nothing to do."""
    if not any(kind_of(n.target) == "snap" or _is_learned(n) for n in graph.nodes):
        return graph
    result = graph.clone()
    for use in list(result.weight_uses()):
        _fix_levels(result, use)
    for node in result.nodes:
        if _is_learned(node):
            _fix_steps(result, node)
    result.remove_unused()
    return result


def _is_learned(node: fx.Node) -> bool:
    return node.op == "call_function" and name_of(node).startswith(LEARNED)


def _fix_levels(graph: Graph, use: WeightUse) -> None:
    """The snapped weight as a look-up of its levels, masked and scaled per channel where it was."""
    chain = chain_of(use.node.args[1])
    if chain is None or chain.snap is None or len(use.source.users) > 1:
        return
    values, edges = (value_of(graph, argument(chain.snap, name)) for name in ("values", "edges"))
    levels, factors = _levels(graph, chain.snap)
    if levels.numel() > MOST_LEVELS or levels.dim() > 1:
        return
    index = cells(values, edges).reshape(values.shape)
    mask = graph.tensor(chain.mask) if chain.mask else None
    pattern = graph.patterns.pop(use.weight, "")
    chain.snap.replace_all_uses_with(use.source)
    graph.module.graph.eliminate_dead_code()
    graph.set_tensor(use.weight, values, trainable=True)
    look_up(graph, use, "codebook", levels, index)
    if mask is not None and not levels[index[~mask]].any():
        mask_weight(graph, _again(graph, use), mask, pattern)
    if factors is not None:
        scale_inside(graph, _again(graph, use), factors.reshape(-1, *[1] * (values.dim() - 1)))


def _again(graph: Graph, use: WeightUse) -> WeightUse:
    """The same layer, as it stands now."""
    return next(u for u in graph.weight_uses() if u.node is use.node)


def _levels(graph: Graph, rounding: fx.Node) -> tuple[Tensor, Tensor | None]:
    """The levels `[k]`, and what each output channel multiplies them by where it has a scale of its own."""
    levels = rounding.args[1]
    assert isinstance(levels, fx.Node)
    whole = value_of(graph, levels)
    if whole.dim() == 1 or name_of(levels) != "mul":
        return whole, None
    scale, pattern = (value_of(graph, a) for a in levels.args[:2])
    return (pattern, scale) if scale.shape[-1] == 1 and pattern.dim() == 1 else (whole, None)


def _fix_steps(graph: Graph, node: fx.Node) -> None:
    """A quantiser whose step was learned, with the step that it came to."""
    scale, zero = (value_of(graph, argument(node, name)) for name in ("scale", "zero_point"))
    low, high = argument(node, "quant_min"), argument(node, "quant_max")
    point = zero.round().clamp(low, high).to(torch.int32)
    scale = scale.clamp_min(torch.finfo(torch.float32).eps)
    with graph.module.graph.inserting_before(node):
        if name_of(node).endswith("per_tensor_affine"):
            target = TARGETS["aten.fake_quantize_per_tensor_affine.default"]
            arguments: tuple[object, ...] = (node.args[0], float(scale), int(point), low, high)
        else:
            target = TARGETS["aten.fake_quantize_per_channel_affine.default"]
            names = [f"{node.name}_{part}" for part in ("scale", "zero_point")]
            for name, value in zip(names, (scale, point), strict=True):
                graph.set_tensor(name, value, trainable=False)
            settings = [graph.module.graph.get_attr(name) for name in names]
            arguments = (node.args[0], *settings, argument(node, "axis"), low, high)
        made = graph.module.graph.call_function(target, arguments)  # type: ignore[arg-type]
    node.replace_all_uses_with(made)
