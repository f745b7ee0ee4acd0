"""How rearrangements are written in ONNX that need more than one step: shuffles, windows, turns, diagonals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import fx

from methods.graph.nodes import argument
from methods.graph.onnx_out.emitter import Emitter, Translator
from methods.graph.onnx_out.move import END
from methods.graph.onnx_out.types import axis_of, listed


def _three_steps(e: Emitter, node: fx.Node, first: tuple[int, ...], order: list[int]) -> str:
    """Reshape, transpose, and reshape to the shape that the node has."""
    value = e.reshape(e.value(node.args[0]), first)
    return e.reshape(e.emit("Transpose", [value], perm=order), e.shape(node), node)


def pixel_shuffle(e: Emitter, node: fx.Node) -> str:
    factor, shape = int(argument(node, "upscale_factor")), e.shape(node)
    if len(shape) == 4 and e.dtype(node).is_floating_point:
        return e.emit("DepthToSpace", [e.value(node.args[0])], node, blocksize=factor, mode="CRD")
    lead, (c, h, w) = shape[:-3], shape[-3:]
    n = len(lead)
    order = [*range(n), n, n + 3, n + 1, n + 4, n + 2]
    return _three_steps(e, node, (*lead, c, factor, factor, h // factor, w // factor), order)


def pixel_unshuffle(e: Emitter, node: fx.Node) -> str:
    factor, shape = int(argument(node, "downscale_factor")), e.shape(node)
    lead, (c, h, w) = shape[:-3], shape[-3:]
    n = len(lead)
    order = [*range(n), n, n + 2, n + 4, n + 1, n + 3]
    return _three_steps(e, node, (*lead, c // factor**2, h, factor, w, factor), order)


def channel_shuffle(e: Emitter, node: fx.Node) -> str:
    groups, shape = int(argument(node, "groups")), e.shape(node)
    order = [0, 2, 1, *range(3, len(shape) + 1)]
    return _three_steps(e, node, (shape[0], groups, shape[1] // groups, *shape[2:]), order)


def repeat_interleave(e: Emitter, node: fx.Node) -> str:
    """Every entry several times over: a new axis behind the repeated one, expanded and folded in."""
    times, dim, shape = int(argument(node, "repeats")), argument(node, "dim"), e.shape(node.args[0])
    value = e.value(node.args[0])
    if dim is None:
        shape = (e.shape(node)[0] // times,)
        value = e.reshape(value, shape)
    axis = int(dim or 0) % len(shape)
    value = e.emit("Unsqueeze", [value, e.ints([axis + 1])])
    value = e.emit("Tile", [value, e.ints([1] * (axis + 1) + [times] + [1] * (len(shape) - axis - 1))])
    return e.reshape(value, e.shape(node), node)


def roll(e: Emitter, node: fx.Node) -> str:
    """Each axis is cut in two and joined the other way round; without axes, the flattened value is."""
    shifts, dims, shape = argument(node, "shifts"), argument(node, "dims") or [], e.shape(node)
    value = e.value(node.args[0])
    if not dims:
        value = e.reshape(value, (-1,))
    for shift, dim in zip(shifts, dims or [0], strict=True):
        axis = int(dim) % max(1, len(shape))
        along = e.ints([axis])
        place = _place(e, value, axis, -int(shift), shape[axis] if dims else -1)
        tail = e.emit("Slice", [value, place, e.ints([END]), along])
        value = e.emit("Concat", [tail, e.emit("Slice", [value, e.ints([0]), place, along])], axis=axis)
    return e.reshape(value, shape, node)


def _place(e: Emitter, value: str, axis: int, start: int, size: int) -> str:
    """Where an axis is cut, which is read when the file runs where the axis follows the batch."""
    if size > 0:
        return e.ints([start % size])
    return e.emit("Mod", [e.ints([start]), e.emit("Shape", [value], start=axis, end=axis + 1)])


def rot90(e: Emitter, node: fx.Node) -> str:
    turns, rank = int(argument(node, "k", 1)) % 4, len(e.shape(node))
    a, b = (int(d) % rank for d in argument(node, "dims"))
    value, order = e.value(node.args[0]), list(range(rank))
    order[a], order[b] = b, a
    flips = {0: [], 1: [b], 2: [a, b], 3: [a]}[turns]
    if flips:
        ends = [e.ints([v] * len(flips)) for v in (-1, -END)]
        value = e.emit("Slice", [value, *ends, e.ints(flips), e.ints([-1] * len(flips))])
    return e.emit("Transpose", [value], node, perm=order) if turns % 2 else e.emit("Identity", [value], node)


def windows(size: int, step: int, count: int, dilation: int = 1, start: int = 0) -> np.ndarray:
    """Positions of `count` windows of `size` along an axis: `[count, size]`."""
    return start + step * np.arange(count)[:, None] + dilation * np.arange(size)[None, :]


def unfold(e: Emitter, node: fx.Node) -> str:
    """Windows along an axis; the place inside the window becomes the last axis."""
    rank, shape = len(e.shape(node)) - 1, e.shape(node)
    axis = axis_of(node, rank, "dimension")
    index = windows(int(argument(node, "size")), int(argument(node, "step")), shape[axis])
    value = e.emit("Gather", [e.value(node.args[0]), e.constant(index)], axis=axis)
    order = [*range(axis + 1), *range(axis + 2, rank + 1), axis + 1]
    return e.emit("Transpose", [value], node, perm=order)


def diagonal(e: Emitter, node: fx.Node) -> str:
    """Entries (i, i + offset) of two axes as the last axis."""
    source, rank = node.args[0], len(e.shape(node)) + 1
    offset = int(argument(node, "offset", 0))
    a, b = axis_of(node, rank, "dim1"), axis_of(node, rank, "dim2", 1)
    count, width = e.shape(node)[-1], e.shape(source)[b]
    rest = [axis for axis in range(rank) if axis not in (a, b)]
    value = e.emit("Transpose", [e.value(source)], perm=[*rest, a, b])
    lead = tuple(e.shape(source)[axis] for axis in rest)
    value = e.reshape(value, (*lead, e.shape(source)[a] * width))
    places = (np.arange(count) + max(0, -offset)) * width + np.arange(count) + max(0, offset)
    return e.emit("Gather", [value, e.constant(places)], node, axis=len(rest))


def im2col(e: Emitter, node: fx.Node) -> str:
    """Patches of an image as columns `[batch, channels * kernel, places]`."""
    kernel, dilation, padding, stride = (
        listed(argument(node, n), 2) for n in ("kernel_size", "dilation", "padding", "stride")
    )
    before, after = e.shape(node.args[0]), e.shape(node)
    pads = e.ints([0, 0, *padding, 0, 0, *padding])
    value = e.emit("Pad", [e.value(node.args[0]), pads]) if any(padding) else e.value(node.args[0])
    counts = [(before[2 + i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
    rows, columns = (windows(kernel[i], stride[i], counts[i], dilation[i]).T for i in range(2))
    value = e.emit("Gather", [value, e.constant(rows)], axis=2)
    value = e.emit("Gather", [value, e.constant(columns)], axis=4)
    return e.reshape(e.emit("Transpose", [value], perm=[0, 1, 2, 4, 3, 5]), after, node)


def col2im(e: Emitter, node: fx.Node) -> str:
    """Columns summed back to an image: a transposed convolution whose kernels place one number each."""
    kernel, dilation, padding, stride = (
        listed(argument(node, n), 2) for n in ("kernel_size", "dilation", "padding", "stride")
    )
    shape, size = e.shape(node), [int(s) for s in argument(node, "output_size")]
    counts = [(size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1 for i in range(2)]
    rests = [
        size[i] + 2 * padding[i] - (counts[i] - 1) * stride[i] - dilation[i] * (kernel[i] - 1) - 1 for i in range(2)
    ]
    channels, area = shape[1], kernel[0] * kernel[1]
    value = e.reshape(e.value(node.args[0]), (shape[0], channels * area, *counts))
    weight = np.tile(np.eye(area, dtype=np.float32).reshape(area, 1, *kernel), (channels, 1, 1, 1))
    settings = {"strides": stride, "pads": padding * 2, "dilations": dilation, "output_padding": rests}
    return e.emit("ConvTranspose", [value, e.constant(weight)], node, group=channels, **settings)


TABLE: Mapping[str, Translator] = {
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "channel_shuffle": channel_shuffle,
    "repeat_interleave": repeat_interleave,
    "roll": roll,
    "rot90": rot90,
    "unfold": unfold,
    "diagonal": diagonal,
    "im2col": im2col,
    "col2im": col2im,
}
