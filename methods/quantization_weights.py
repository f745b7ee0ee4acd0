"""How the weights of a layer are put on the codes that a word asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log2

import torch
from torch import Tensor

from hwmodels.workload import Op
from methods.base import BadChoice
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.rounding import quantise_groups, quantise_weight, snap_weight
from methods.graph.values import value_of
from methods.graph.weight_chain import chain_of
from methods.numerics.float_codes import float_levels
from methods.numerics.formats import FORMATS
from methods.numerics.weight_codes import WeightCoding
from methods.quantization_words import INTEGER, LEAVE, Word, check_group


@dataclass(frozen=True)
class WeightRounding:
    """The codes of one word. `coding` says how integer codes are laid out; float formats only ask whether `whole`."""

    word: Word
    coding: WeightCoding

    def nearest(self, weight: Tensor) -> Tensor:
        """The nearest weight that has such codes; same shape. Raises ValueError where the weight has none."""
        if self.word.floats:
            return float_levels(weight, FORMATS[self.word.floats], self.coding.whole).project(weight)
        return torch.from_numpy(self.coding.nearest(weight.detach().numpy()))

    def put(self, graph: Graph, use: WeightUse) -> None:
        """Rounds the layer's weight, in place. Raises ValueError, naming the site."""
        weight = value_of(graph, use.node.args[1])
        try:
            self._put(graph, use, weight)
        except ValueError as error:
            raise ValueError(f"the weight at {use.site} can't be quantised: {error}") from error

    def _put(self, graph: Graph, use: WeightUse, weight: Tensor) -> None:
        if self.word.floats:
            levels = float_levels(weight, FORMATS[self.word.floats], self.coding.whole)
            return snap_weight(graph, use, levels.scale, levels.pattern, levels.edges, trainable=False)
        codes = self.coding.affine(weight.numpy())
        scale, zero = torch.from_numpy(codes.scale.copy()), torch.from_numpy(codes.zero_point.copy())
        if self.word.group:
            return quantise_groups(graph, use, scale, zero, (codes.low, codes.high))
        return quantise_weight(graph, use, scale, codes.low, codes.high, zero)


def check_weight(method: str, graph: Graph, use: WeightUse, word: Word) -> None:
    """Raises BadChoice where a word doesn't suit a layer's weight."""
    weight = value_of(graph, use.node.args[1])
    check_group(method, use.site, word, weight.numel() // max(1, len(weight)))
    if word.weight_only and rounding_of(use):
        raise BadChoice(f"{method} at {use.site}: its weight has levels already; choose {LEAVE} or {INTEGER} there")


def rounding_of(use: WeightUse) -> str:
    """What rounds the weight already, "quantize" to even steps or "snap" to levels; empty where nothing does."""
    chain = chain_of(use.node.args[1])
    if chain is None or (chain.rounding is None and chain.snap is None):
        return ""
    return "snap" if chain.rounding is None else "quantize"


def planned(op: Op, word: Word) -> Op:
    """The operator with what its weight takes, and activations of as many bits as the word says."""
    if word.floats:
        return replace(op, stored_bits=log2(len(FORMATS[word.floats].code_points())))
    op = replace(op, weights=(replace(op.weights[0], bits=word.weights), *op.weights[1:]))
    if word.weight_only:
        return op
    inputs = (replace(op.inputs[0], bits=word.activations), *op.inputs[1:])
    return replace(op, inputs=inputs, outputs=tuple(replace(t, bits=word.activations) for t in op.outputs))
