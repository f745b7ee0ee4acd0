"""Low rank: one linear layer or convolution becomes two thinner ones, by singular value decomposition.

A kxk convolution becomes a kxk convolution to `rank` channels and a 1x1 convolution from there. With samples, the
directions kept are those in which the layer's outputs vary most; without, those of the weight itself.

Reference: Denton et al., "Exploiting linear structure within convolutional networks", 2014, arXiv 1404.0736; Zhang et
al., "Accelerating very deep convolutional networks", 2015, arXiv 1505.06798 (this cut, and directions of outputs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op, TensorSpec, count_macs
from methods.base import Data, MethodError, Space, Value
from methods.choices import as_share, check_sites
from methods.graph.ir import Graph, WeightUse
from methods.graph.observe import step_through
from methods.graph.ops import kind_of
from methods.graph.rows import Places, places_shape, written
from methods.graph.surgery.forms import groups_of, is_plain, split_layer
from methods.graph.surgery.quantisers import value_of
from methods.numerics.lowrank import factorise, factorise_for, rank_for, saves_weights

SHARES = (0.5, 0.375, 0.25, 0.125)


@dataclass(frozen=True)
class LowRank:
    """Choices: the rank as a share of the full rank, which is the smaller side of the unfolded weight.

    Attributes:
        samples: how many samples outputs are watched on; 0 keeps the directions of the weight.
        rows: at how many places of a layer's output in all.
    """

    samples: int = 256
    rows: int = 8192
    name: str = "low-rank"

    def space(self, graph: Graph, device: Device) -> Space:  # noqa: ARG002
        """Ungrouped layers with a weight of their own, with the ranks that need fewer weights than it has."""
        sites = {}
        for use in _uses(graph):
            shape = tuple(graph.tensor(use.weight).shape)
            shares = [s for s in SHARES if saves_weights(shape, rank_for(shape, s))]
            if shares:
                sites[use.site] = (1.0, *shares)
        return Space(sites)

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A graph with two layers at each chosen site. Raises BadChoice, and MethodError for a broken weight."""
        check_sites(self.name, choices, {use.site for use in _uses(graph)})
        shares = {site: as_share(self.name, site, value) for site, value in choices.items()}
        result = graph.clone()
        chosen = [use for use in _uses(result) if shares.get(use.site, 1.0) < 1.0]
        seen = self._outputs(result, chosen, data.head(self.samples).inputs)
        for use in chosen:
            _split(result, use, shares[use.site], seen.get(use.node.name))
        result.remove_unused()
        return result

    def _outputs(self, graph: Graph, chosen: list[WeightUse], inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Node name -> what the layer adds up, before its bias: `[rows, out]`."""
        generator = torch.Generator().manual_seed(0)
        seen: dict[str, Tensor] = {}

        def remember(use: WeightUse, value: Tensor) -> None:
            places = Places.random(places_shape(use.node, tuple(value.shape)), self.rows, generator)
            seen[use.node.name] = written(use.node, value, places) - _bias(graph, use)

        if chosen and len(inputs[0]):
            step_through(graph, inputs, after={use.node.name: partial(remember, use) for use in chosen})
        return seen

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The two operators that take the place of one."""
        share = as_share(self.name, op.site, choices.get(op.site, 1.0))
        if share == 1.0 or not op.weights:
            return (op,)
        return _halves(op, rank_for(op.weights[0].shape, share))


def _uses(graph: Graph) -> list[WeightUse]:
    kinds = ("conv", "linear")
    return [u for u in graph.weight_uses() if kind_of(u.node.target) in kinds and is_plain(u) and groups_of(u) == 1]


def _bias(graph: Graph, use: WeightUse) -> Tensor:
    bias = use.node.args[2] if len(use.node.args) > 2 else None
    return torch.zeros(()) if bias is None else value_of(graph, bias)


def _split(graph: Graph, use: WeightUse, share: float, outputs: Tensor | None) -> None:
    weight = graph.tensor(use.weight).detach()
    shape = tuple(weight.shape)
    rank = rank_for(shape, share)
    try:
        if outputs is None:
            factors = factorise(weight.numpy(), rank)
        else:
            factors = factorise_for(weight.numpy(), outputs.numpy(), rank)
    except ValueError as error:
        raise MethodError(f"the weight at {use.site} can't be factorised: {error}") from error
    v = torch.from_numpy(factors.v).reshape(rank, *shape[1:])
    split_layer(graph, use, v, _as_kernel(torch.from_numpy(factors.u), len(shape)))


def _as_kernel(u: Tensor, dimensions: int) -> Tensor:
    """`[out, rank]` as a weight of as many axes as the layer's: `[out, rank, 1, 1]` for 2-D convolutions."""
    return u.reshape(*u.shape, *[1] * (dimensions - 2))


def _halves(op: Op, rank: int) -> tuple[Op, Op]:
    weight, output = op.weights[0], op.outputs[0]
    channels = len(output.shape) - 1 if op.kind == "linear" else 1
    middle = TensorSpec((*output.shape[:channels], rank, *output.shape[channels + 1 :]), op.inputs[0].bits)
    v = TensorSpec((rank, *weight.shape[1:]), weight.bits)
    u = TensorSpec((weight.shape[0], rank, *[1] * (len(weight.shape) - 2)), weight.bits)
    name = f"{op.name}_v"
    read, own = len(op.inputs), len(op.inputs) + len(op.outputs)
    first = replace(op, name=name, outputs=(middle,), weights=(v,), writes=(name,))
    first = replace(first, dims=tuple(d for d in op.dims if d.tensor < read or (d.tensor == own and d.axis)))
    second = replace(op, name=f"{op.name}_u", inputs=(middle,), weights=(u, *op.weights[1:]), reads=(name,))
    second = replace(second, dims=tuple(d for d in op.dims if d.tensor >= read and not (d.tensor == own and d.axis)))
    plain = {"groups": "1", "geometry": "", "transposed": "0"}
    second = replace(second, attributes=tuple((k, plain.get(k, v)) for k, v in op.attributes))
    return replace(first, macs=count_macs(first, op)), replace(second, macs=count_macs(second, op))
