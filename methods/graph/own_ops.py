"""snap: the one operator of our own. Every number becomes the level of the cell that it falls into.

ATen rounds to evenly spaced codes only; powers of two, ternary and binary weights are other sets of levels. The
gradient goes straight through to the numbers, and to each level goes the sum over its members, which is exact for it.

Reference: Bengio et al., "Estimating or propagating gradients through stochastic neurons", 2013, arXiv 1308.3432
(straight-through); Zhu et al., "Trained ternary quantization", 2017, arXiv 1612.01064 (gradients of levels).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FEW = 15
"""Up to so many edges, counting those that a number reaches is faster than searching: ten times for ternary weights."""


@torch.library.custom_op("fitwright::snap", mutates_args=())
def snap(values: Tensor, levels: Tensor, edges: Tensor) -> Tensor:
    """`levels[cell]` for every one of `values`; a number on an edge belongs to the cell above it.

    `levels` `[k]` in rising order with `edges` `[k - 1]` between them; or `[out, k]` and `[out, k - 1]`, a row for each
    entry of the first axis of `values`.
    """
    return _taken(levels, cells(values, edges)).reshape(values.shape)


def cells(values: Tensor, edges: Tensor) -> Tensor:
    """The cell of every number, `[out, n]` where there is a row of edges for each of the first axis, else `[n]`."""
    flat = values.detach().reshape(len(edges), -1) if edges.dim() == 2 else values.detach().reshape(-1)
    if edges.shape[-1] > FEW:
        return torch.searchsorted(edges.detach().contiguous(), flat.contiguous(), right=True)
    reached = torch.zeros(flat.shape, dtype=torch.uint8)
    for edge in edges.detach().unbind(-1):
        reached += flat >= edge[..., None]
    return reached.long()


def _taken(levels: Tensor, index: Tensor) -> Tensor:
    return levels.gather(1, index) if levels.dim() == 2 else levels.index_select(0, index)


@snap.register_fake
def _(values: Tensor, levels: Tensor, edges: Tensor) -> Tensor:  # noqa: ARG001
    return torch.empty_like(values)


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:  # noqa: ARG001
    values, levels, edges = inputs
    ctx.save_for_backward(cells(values, edges))
    ctx.levels = levels.shape


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
    (index,) = ctx.saved_tensors
    per_level = torch.zeros(ctx.levels, dtype=gradient.dtype)
    per_level = per_level.scatter_add(-1, index, gradient.reshape(index.shape))
    return gradient, per_level, None


snap.register_autograd(_backward, setup_context=_keep)

SNAP = torch.ops.fitwright.snap.default
