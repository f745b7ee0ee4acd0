"""Quantisation: weights and activations of a layer in 8-bit integers, calibrated on data.

Weights get symmetric codes with a scale per output channel, activations asymmetric codes with one scale; batch
normalisation is folded first. Rounding stands in the graph with a straight-through gradient, so fine-tuning takes it
into account, and export turns it into integer operators.

Reference: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, arXiv 1712.05877; Krishnamoorthi, 2018, arXiv 1806.08342 (scales per channel).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import fx

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import Data, MethodError, Space, Value
from methods.choices import as_word, check_sites
from methods.graph.ir import Graph, WeightUse
from methods.graph.ops import kind_of
from methods.graph.surgery.forms import quantise_weight
from methods.graph.surgery.quantisers import fold_norm, points, quantise_points, ranges, value_of
from methods.numerics.affine import ACTIVATION_RANGE, WEIGHT_RANGE, asymmetric, symmetric

LAYERS = ("aten.conv1d.default", "aten.conv2d.default", "aten.linear.default")
WORDS = ("fp32", "int8")


@dataclass(frozen=True)
class Quantization:
    """Choices: "int8", or "fp32" to leave a layer as it is.

    Attributes:
        percentile: share of the observed activations that the codes cover, in per cent; 100 covers all (min-max).
        samples: how many samples activations are observed on.
    """

    percentile: float = 100.0
    samples: int = 256
    name: str = "quantization"

    def space(self, graph: Graph, device: Device) -> Space:
        """Every convolution (1-D and 2-D) and linear layer, where the device computes in int8."""
        if "int8" not in device.precisions:
            return Space({})
        return Space({use.site: WORDS for use in _uses(graph)})

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A graph with quantisers at the chosen layers. Raises BadChoice, and MethodError without samples."""
        check_sites(self.name, choices, {use.site for use in _uses(graph)})
        words = {site: as_word(self.name, site, value, WORDS) for site, value in choices.items()}
        sites = {site for site, word in words.items() if word == "int8"}
        if not sites:
            return graph.clone()
        if not len(data):
            raise MethodError("quantisation needs samples to see how large activations get; give it some")
        result = graph.clone()
        chosen = [use for use in _uses(result) if use.site in sites and not _is_quantised(use)]
        for use in chosen:
            fold_norm(result, use)
        result.module.recompile()
        self._activations(result, chosen, data)
        for use in chosen:
            _weight(result, use)
        result.remove_unused()
        return result

    def _activations(self, graph: Graph, chosen: list[WeightUse], data: Data) -> None:
        nodes = [use.node for use in chosen]
        seen = ranges(graph, points(nodes), data.head(self.samples).inputs, self.percentile)
        settings = {}
        for name, (least, most) in seen.items():
            try:
                codes = asymmetric(least, most, ACTIVATION_RANGE)
            except ValueError as error:
                raise MethodError(f"the activations of {name} can't be quantised: {error}") from error
            settings[name] = (float(codes.scale), int(codes.zero_point), codes.low, codes.high)
        quantise_points(graph, nodes, settings)

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The operator with 8-bit operands and result."""
        word = as_word(self.name, op.site, choices.get(op.site, WORDS[0]), WORDS)
        if word != "int8" or not op.weights:
            return (op,)
        inputs = (replace(op.inputs[0], bits=8), *op.inputs[1:])
        outputs = tuple(replace(t, bits=8) for t in op.outputs)
        weights = (replace(op.weights[0], bits=8), *op.weights[1:])
        return (replace(op, inputs=inputs, outputs=outputs, weights=weights),)


def _uses(graph: Graph) -> list[WeightUse]:
    return [use for use in graph.weight_uses() if str(use.node.target) in LAYERS]


def _is_quantised(use: WeightUse) -> bool:
    return isinstance(use.node.args[1], fx.Node) and kind_of(use.node.args[1].target) == "quantize"


def _weight(graph: Graph, use: WeightUse) -> None:
    codes = symmetric(value_of(graph, use.node.args[1]).numpy(), WEIGHT_RANGE)
    quantise_weight(graph, use, torch.from_numpy(codes.scale), codes.low, codes.high)
