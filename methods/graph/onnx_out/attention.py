"""How scaled dot-product attention is written in ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.types import refuse

HIDDEN = -1e30
"""Added to the score of a pair that a mask hides: its weight becomes 0, and no row is left undefined."""


def attention(e: Emitter, node: fx.Node) -> str:
    """softmax(q k^T scale + mask) v; rows that see nothing give zeros, as in torch."""
    q, k, v = node.args[:3]
    rank, scale = len(e.shape(k)), argument(node, "scale")
    scale = 1.0 / sqrt(e.shape(q)[-1]) if scale is None else scale
    order = [*range(rank - 2), rank - 1, rank - 2]
    keys = e.emit("Transpose", [_heads(e, node, k)], perm=order)
    scores = e.emit("MatMul", [e.emit("Mul", [e.value(q), e.value(scale, torch.float32)]), keys])
    scores, seen = _masked(e, node, scores)
    weights = e.emit("Softmax", [scores], axis=-1)
    if seen:
        weights = e.emit("Mul", [weights, seen])
    return e.emit("MatMul", [weights, _heads(e, node, v)], node)


def _heads(e: Emitter, node: fx.Node, value: Any) -> str:
    """Keys or values, each head as often as queries share it."""
    wanted, given = e.shape(node)[-3] if len(e.shape(node)) > 2 else 1, e.shape(value)[-3:-2]
    if not argument(node, "enable_gqa", False) or given in ((), (wanted,), (1,)):
        return e.value(value)
    index = e.constant(np.repeat(np.arange(given[0]), wanted // given[0]))
    return e.emit("Gather", [e.value(value), index], axis=len(e.shape(value)) - 3)


def _masked(e: Emitter, node: fx.Node, scores: str) -> tuple[str, str]:
    """The scores with the mask, and a factor for the weights where a row may see nothing."""
    mask: Any = argument(node, "attn_mask")
    if argument(node, "is_causal", False):
        return e.emit("Add", [scores, _causal(e, node)]), ""
    if mask is None:
        return scores, ""
    if e.dtype(mask) == torch.bool:
        return _by_truth(e, mask, scores)
    if mask in e.constants and not bool(torch.isneginf(e.fold(mask)).all(-1).any()):
        return e.emit("Add", [scores, e.value(mask)]), ""
    made = e.emit("Max", [e.emit("Add", [scores, e.value(mask)]), e.floats(HIDDEN)])
    seen = e.emit("Greater", [made, e.floats(HIDDEN)])
    return made, e.cast(seen, torch.bool, torch.float32)


def _by_truth(e: Emitter, mask: fx.Node, scores: str) -> tuple[str, str]:
    """True is seen. A mask that is known is added, one that is not is chosen by."""
    if mask in e.constants:
        known = e.fold(mask)
        hidden = e.floats(torch.where(known, 0.0, HIDDEN).numpy())
        blind = not bool(known.any(-1).all())
        return e.emit("Add", [scores, hidden]), e.floats(known.float().numpy()) if blind else ""
    truth = e.value(mask)
    return e.emit("Where", [truth, scores, e.floats(HIDDEN)]), e.cast(truth, torch.bool, torch.float32)


def _causal(e: Emitter, node: fx.Node) -> str:
    length, others = e.shape(node.args[0])[-2], e.shape(node.args[1])[-2]
    if min(length, others) < 0:
        raise refuse(node, "its sequence is the batch, whose size is free", "give the batch an axis of its own")
    return e.floats(np.triu(np.full((length, others), HIDDEN), 1))


TABLE: Mapping[str, Translator] = {"scaled_dot_product_attention": attention}
