"""One layer becomes a row of layers: what each of them is, and what becomes of the operator in plans.

A factorisation describes its row once, as Stages; surgery and plans are both made from them, so that what was planned
is what is built.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any, Literal

from hwmodels.workload import Dim, Op, TensorSpec, count_macs

Follows = Literal["in", "out", ""]
MOVES: list[Any] = [1, 0, 1, 1]
"""Stride, padding, dilation and groups of a convolution that says nothing about them."""
FIRST, LAST = "v", "u"
"""What the first and the last layer of a row are called, whatever the factorisation: `fc1.v.weight`, `fc1.u.weight`."""


@dataclass(frozen=True)
class Layout:
    """A layer as it stands: shape of its weight, and for a convolution how it moves; () for a linear layer."""

    shape: tuple[int, ...]
    stride: tuple[int, ...] = ()
    padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1

    @classmethod
    def of(cls, op: Op) -> Layout:
        """That of an operator with a weight."""
        shape, axes = op.weights[0].shape, len(op.weights[0].shape) - 2
        if op.kind != "conv":
            return cls(shape)
        text = dict(op.attributes).get("geometry", "")
        given: list[Any] = [ast.literal_eval(part) for part in re.split(r" (?![^\[]*\])", text) if part]
        stride, padding, dilation, groups = given + MOVES[len(given) :]
        return cls(shape, spread(stride, axes), spread(padding, axes), spread(dilation, axes), int(groups))

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.shape[2:]

    @property
    def weights(self) -> int:
        """How many numbers its weight holds."""
        return prod(self.shape)


@dataclass(frozen=True)
class Stage:
    """One layer of a row, in the order of execution.

    Attributes:
        suffix: ends its name; the first is FIRST, the last LAST.
        layout: its own weight's shape and geometry.
        follows: whose channels its outputs are: those that the whole layer reads ("in"), writes ("out"), or its own.
    """

    suffix: str
    layout: Layout
    follows: Follows = ""


def spread(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """A setting of a convolution for each of its axes: torch takes one number for all."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(values * axes if len(values) == 1 else values)


def pointwise(suffix: str, shape: tuple[int, int], axes: int, follows: Follows = "") -> Stage:
    """A layer `[out, in]` that moves nothing: a 1x1 convolution over so many axes, or linear where there are none."""
    ones, zeros = (1,) * axes, (0,) * axes
    return Stage(suffix, Layout((*shape, *ones), ones, zeros, ones) if axes else Layout(shape), follows)


def weights_in(stages: Sequence[Stage]) -> int:
    """How many numbers the weights of a row hold."""
    return sum(stage.layout.weights for stage in stages)


def in_stages(op: Op, stages: Sequence[Stage]) -> tuple[Op, ...]:
    """The operators that take the place of one. The bias, and whatever was fused behind, go with the last."""
    values = pairwise([op.inputs[0], *_between(op, stages), op.outputs[0]])
    names = [(f"{op.name}_{stage.suffix}",) for stage in stages]
    edges = pairwise([op.reads, *names[:-1], op.writes])
    followed: list[Follows] = ["in", *(stage.follows for stage in stages[:-1]), "out"]
    made = []
    for stage, value, edge, follows in zip(stages, values, edges, pairwise(followed), strict=True):
        piece = _piece(op, stage, value, edge)
        piece = piece if stage is stages[-1] else replace(piece, weights=piece.weights[:1], aliases=())
        made.append(replace(piece, dims=tuple(_dims(op, piece, stage.layout, follows))))
    return tuple(made)


def _piece(op: Op, stage: Stage, value: tuple[TensorSpec, TensorSpec], edge: tuple[tuple[str, ...], ...]) -> Op:
    """One operator of a row, with all that was fused behind the whole."""
    piece = replace(
        op,
        name=f"{op.name}_{stage.suffix}",
        inputs=value[:1],
        outputs=value[1:],
        weights=(TensorSpec(stage.layout.shape, op.weights[0].bits), *op.weights[1:]),
        reads=edge[0],
        writes=edge[1],
        attributes=_attributes(op, stage.layout),
        piece=True,
    )
    return replace(piece, macs=count_macs(piece, op))


def _between(op: Op, stages: Sequence[Stage]) -> Iterator[TensorSpec]:
    """The values between the layers of a row."""
    shape = op.inputs[0].shape
    for stage, _ in pairwise(stages):
        shape = written_shape(shape, stage.layout)
        yield TensorSpec(shape)


def written_shape(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """What a layer writes where it reads `shape`: `[n, channels, ...]`, or `[..., channels]` for a linear one."""
    if not layout.kernel:
        return (*shape[:-1], layout.shape[0])
    steps = zip(shape[2:], layout.kernel, layout.stride, layout.padding, layout.dilation, strict=True)
    space = ((size + 2 * pad - dilation * (k - 1) - 1) // stride + 1 for size, k, stride, pad, dilation in steps)
    return (shape[0], layout.shape[0], *space)


def _attributes(op: Op, layout: Layout) -> tuple[tuple[str, str], ...]:
    """As lowering writes them."""
    if not layout.kernel:
        return op.attributes
    moves = (list(layout.stride), list(layout.padding), list(layout.dilation), layout.groups)
    own = {"groups": str(layout.groups), "geometry": " ".join(map(str, moves)), "transposed": "0"}
    return tuple((key, own.get(key, value)) for key, value in op.attributes)


def _dims(op: Op, piece: Op, layout: Layout, follows: tuple[Follows, Follows]) -> Iterator[Dim]:
    """Which axes of a piece follow pruning sites: as those of the whole operator that hold the same channels."""
    channels = 1 if layout.kernel else len(op.outputs[0].shape) - 1
    written, weight = len(op.inputs), len(op.inputs) + len(op.outputs)
    own, others = len(piece.inputs) + 1, {*range(len(op.outputs[0].shape))} - {channels}
    for number, side in ((0, follows[0]), (own - 1, follows[1])):
        yield from _moved(op, written if side == "out" else 0, number, {*others, channels} if side else others)
    for axis, side in ((0, follows[1]), (1, follows[0] if layout.groups == 1 else "")):
        if side:
            yield from (replace(d, axis=axis) for d in _moved(op, weight, own, {0 if side == "out" else 1}))
    if len(piece.weights) > 1:
        yield from _moved(op, weight + 1, own + 1, {0})


def _moved(op: Op, tensor: int, number: int, axes: set[int]) -> Iterator[Dim]:
    """The dims along some axes of a tensor, as those of tensor `number`."""
    return (replace(d, tensor=number) for d in op.dims if d.tensor == tensor and d.axis in axes)
