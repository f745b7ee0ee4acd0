"""A layer as rows of a linear regression: what it reads and writes at some places of some samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.nodes import argument
from methods.graph.ops import kind_of


@dataclass(frozen=True)
class Places:
    """Places in a layer's output: index `[rows]` into the flat samples and positions."""

    shape: tuple[int, ...]
    index: Tensor

    @classmethod
    def random(cls, shape: tuple[int, ...], rows: int, generator: torch.Generator) -> Places:
        """At most `rows` places of an output whose `shape` lacks the channels: `[n]`, `[n, length]`, `[n, h, w]`."""
        total = int(torch.Size(shape).numel())
        index = torch.randperm(total, generator=generator)[:rows] if total > rows else torch.arange(total)
        return cls(shape, index)


def places_shape(node: fx.Node, output: tuple[int, ...]) -> tuple[int, ...]:
    """The output's shape without channels."""
    return (output[0], *output[2:]) if kind_of(node.target) == "conv" else output[:-1]


def written(node: fx.Node, value: Tensor, places: Places) -> Tensor:
    """A layer's outputs at some places: `[rows, out]`."""
    moved = value.movedim(1, -1) if kind_of(node.target) == "conv" else value
    return moved.reshape(-1, moved.shape[-1])[places.index]


def read(node: fx.Node, value: Tensor, kernel: tuple[int, ...], places: Places) -> Tensor:
    """What a linear layer or ungrouped 2-D convolution reads for those outputs: `[rows, in * kh * kw]`."""
    if kind_of(node.target) == "linear":
        return value.reshape(-1, value.shape[-1])[places.index]
    stride, padding, dilation = (_pair(argument(node, name)) for name in ("stride", "padding", "dilation"))
    padded = torch.nn.functional.pad(value, (padding[1], padding[1], padding[0], padding[0]))
    height, width = places.shape[1:]
    sample, place = places.index // (height * width), places.index % (height * width)
    y = (place // width * stride[0])[:, None] + torch.arange(kernel[0]) * dilation[0]
    x = (place % width * stride[1])[:, None] + torch.arange(kernel[1]) * dilation[1]
    patches = padded[sample[:, None, None], :, y[:, :, None], x[:, None, :]]
    return patches.permute(0, 3, 1, 2).flatten(1)


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (int(values[0]), int(values[-1]))
