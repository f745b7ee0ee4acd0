"""What a row of layers without anything between them amounts to: one weight."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase

import torch
from torch import Tensor


def composed(weights: Sequence[Tensor], groups: Sequence[int]) -> Tensor:
    """The weight `[out, in, ...]` of the one layer that a row of layers equals.

    `weights` are `[out, in / groups, ...]` in the order of execution. Along each axis of the kernel at most one of them
    may be longer than 1, which holds for factors of one kernel; then strides and padding don't matter either. Raises
    ValueError for two that are.
    """
    result = dense(weights[0].double(), groups[0])
    for weight, count in zip(weights[1:], groups[1:], strict=True):
        result = _after(result, dense(weight.double(), count))
    return result.to(weights[0].dtype)


def dense(weight: Tensor, groups: int) -> Tensor:
    """A grouped layer's weight with its zeros: `[out, in, ...]` for `[out, in / groups, ...]`."""
    if groups == 1:
        return weight
    out, given = weight.shape[:2]
    result = weight.new_zeros(out, given * groups, *weight.shape[2:])
    for rows, columns in zip(torch.arange(out).chunk(groups), torch.arange(given * groups).chunk(groups), strict=True):
        result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = weight[rows]
    return result


def _after(first: Tensor, second: Tensor) -> Tensor:
    """`second` `[out, middle, ...]` applied to what `first` `[middle, in, ...]` writes."""
    mine, theirs, sizes = "", "", []
    for axis, (one, other) in enumerate(zip(first.shape[2:], second.shape[2:], strict=True)):
        if one > 1 and other > 1:
            raise ValueError(f"kernels of {one} and {other} along one axis are no factors of one kernel")
        mine, theirs = mine + ascii_uppercase[axis] * (one > 1), theirs + ascii_uppercase[axis] * (other > 1)
        sizes.append(max(one, other))
    left, right = second.reshape(*second.shape[:2], *_long(second)), first.reshape(*first.shape[:2], *_long(first))
    made = torch.einsum(f"om{theirs},mi{mine}->oi{''.join(sorted(mine + theirs))}", left, right)
    return made.reshape(second.shape[0], first.shape[1], *sizes)


def _long(weight: Tensor) -> list[int]:
    return [size for size in weight.shape[2:] if size > 1]
