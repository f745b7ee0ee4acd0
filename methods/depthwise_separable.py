"""Depthwise separable: a convolution becomes one filter per channel and a 1x1 convolution that mixes the channels.

The cheapest of all rows, and the roughest: a channel has one filter left for all outputs. With samples, the mixing is
the one that repeats the layer's outputs on them best; training has to do the rest.

Reference: Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision applications", 2017,
arXiv 1704.04861; from trained weights: Guo et al., "Network decoupling", 2018, arXiv 1808.05517.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from hwmodels.device import Device
from methods.base import Data, Value
from methods.factorisation import Factorisation, as_floats, plain_layout
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import step_through
from methods.graph.rows import Places, read
from methods.graph.surgery.chains import layout_of
from methods.numerics.depthwise import decouple, decouple_for
from methods.numerics.lowrank import Floats
from methods.stages import FIRST, LAST, Layout, Stage, pointwise, weights_in, written_shape
from methods.tucker import no_kernel
from methods.weight_method import Layer, refuse

KEEP, REPLACE = "keep", "replace"
MOST_VALUES = 1 << 24
"""Input values of one layer that are looked at."""


@dataclass(frozen=True)
class DepthwiseSeparable(Factorisation):
    """Choices: `replace`, or `keep` the layer as it is.

    Attributes:
        samples: how many samples 2-D convolutions are watched on; 0 goes by the weight alone.
        rows: at how many places of a layer's output in all.
    """

    samples: int = 256
    rows: int = 8192
    name: str = "depthwise-separable"

    def unsuited(self, layout: Layout) -> str:
        """For ungrouped convolutions with a kernel."""
        return no_kernel(layout)

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """Both, where the pair holds fewer weights."""
        pair = self.row(layer.site, plain_layout(layer.shape), REPLACE, None)
        return (KEEP, REPLACE) if weights_in(pair) < layer.elements else (KEEP,)

    def checked(self, site: str, value: Value) -> Value | None:
        """None for `keep`. Raises BadChoice."""
        if value not in (KEEP, REPLACE):
            raise refuse(self.name, site, value, f"{KEEP!r} or {REPLACE!r}")
        return None if value == KEEP else value

    def row(self, site: str, layout: Layout, value: Value, weight: Floats | None) -> tuple[Stage, ...]:  # noqa: ARG002
        """A filter per channel with the layer's own geometry, then 1x1."""
        out, given = layout.shape[:2]
        depth = replace(layout, shape=(given, 1, *layout.kernel), groups=given)
        return Stage(FIRST, depth, "in"), pointwise(LAST, (out, given), len(layout.kernel))

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:  # noqa: ARG002
        """By the weight alone."""
        pair = decouple(weight)
        return pair.depth, pair.point.reshape(row[1].layout.shape)

    def prepared(self, graph: Graph, uses: Mapping[str, Sequence[WeightUse]], data: Data) -> DepthwiseSeparable:
        """The method with the patches that each chosen layer reads on the samples."""
        chosen = [use for layers in uses.values() for use in layers if graph.tensor(use.weight).dim() == 4]
        inputs = data.head(self.samples).inputs
        if not chosen or not len(inputs[0]):
            return self
        generator = torch.Generator().manual_seed(0)
        seen: dict[str, Tensor] = {}

        def remember(use: WeightUse, value: Tensor) -> None:
            layout = layout_of(graph, use)
            shape = written_shape(tuple(value.shape), layout)
            rows = min(self.rows, MOST_VALUES // layout.weights * layout.shape[0])
            places = Places.random((shape[0], *shape[2:]), max(1, rows), generator)
            seen[use.node.name] = read(use.node, value, layout.kernel, places)

        step_through(graph, inputs, before={use.node.name: partial(remember, use) for use in chosen})
        return _Seeing(self.samples, self.rows, self.name, seen)


@dataclass(frozen=True)
class _Seeing(DepthwiseSeparable):
    """Mixes channels as the inputs that it has seen need it: node name -> patches `[rows, in * places]`."""

    patches: Mapping[str, Tensor] = field(default_factory=dict)

    def factors(self, weight: Floats, row: Sequence[Stage], use: WeightUse | None) -> tuple[Floats, ...]:
        patches = self.patches.get(use.node.name) if use is not None else None
        if patches is None:
            return super().factors(weight, row, use)
        pair = decouple_for(weight, as_floats(patches))
        return pair.depth, pair.point.reshape(row[1].layout.shape)
