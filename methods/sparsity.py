"""Sparsity: weights of little worth are held at zero, one by one or in a pattern, through whatever comes after.

Arithmetic stays dense, so nothing gets faster but where a device knows the pattern: the file gets smaller.

References: Han et al., "Learning both weights and connections for efficient neural networks", 2015, arXiv 1506.02626;
patterns: Mao et al., "Exploring the regularity of sparse structure in convolutional neural networks", 2017, arXiv
1705.08922, and `numerics/patterns.py`, `numerics/kernel_patterns.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import BadChoice, Data, Value
from methods.choices import as_word
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import is_full
from methods.importance.catalogue import importance
from methods.numerics.patterns import Mask, Scores, best_of_all
from methods.sparsity_scores import MAGNITUDE, put_mask, scores_of, squares, worth
from methods.sparsity_words import TAKES, Rule, partway, rule
from methods.weight_method import Layer, WeightMethod


@dataclass(frozen=True)
class Sparsity(WeightMethod):
    """Choices: the share of single weights that stays, or a word for a pattern; see `sparsity_words.py`.

    A mask that is there already only gets stricter. A layer keeps at least one weight.

    Attributes:
        importance: what a weight is worth; a name of the importance catalogue. A unit of several is worth the sum;
            for "magnitude" that of squares, so that what stays is nearest to what was.
        ranking: "layer", or "global": the weights of all chosen sites are ranked together, and as many stay as the
            shares come to. Patterns stay in their layer.
        patterns: how many different kernels "pattern:4" may choose in a layer.
        offers: what a search may choose, apart by commas; a layer is offered what leaves it a weight an output.
    """

    importance: str = MAGNITUDE
    ranking: str = "layer"
    patterns: int = 8
    offers: str = "0.5, 0.25, 0.1, 0.05"
    name: str = "sparsity"

    stage: ClassVar[str] = "mask"
    helps: ClassVar[frozenset[str]] = frozenset({"size"})

    def __post_init__(self) -> None:
        importance(self.importance)
        as_word(self.name, "every site", self.ranking, ("layer", "global"))
        if not isinstance(self.patterns, int) or self.patterns < 1:
            raise BadChoice(f"{self.name} needs at least one pattern for kernels, not {self.patterns}")
        for value in _offered(self.offers):
            self.checked("every site", value)

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """What takes weights away and leaves at least one an output."""
        return (1.0, *(v for v in _offered(self.offers) if layer.shape[0] <= self._left(layer, v) < layer.elements))

    def _left(self, layer: Layer, value: Value) -> int:
        """How many weights of a layer stay; 0 where the layer has no such pattern."""
        try:
            return self._rule(value).left(layer.shape)
        except ValueError:
            return 0

    def checked(self, site: str, value: Value) -> Value | None:
        """The value, None for 1. Raises BadChoice for a share or a word that can't be."""
        try:
            return None if rule(value, self.patterns) is None else value
        except ValueError as error:
            raise BadChoice(f"{self.name} at {site} takes {TAKES}, not {value!r:.40}: {error}") from error

    def _rule(self, value: Value) -> Rule:
        found = rule(value, self.patterns)
        assert found is not None
        return found

    def fits(self, graph: Graph, use: WeightUse) -> bool:  # noqa: ARG002
        """Whether the weight is a parameter of its own; it may be masked already."""
        return is_full(use)

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The nearest weight with those zeros: what is largest, squared and summed over units, stays."""
        mask = self._rule(value).mask(squares(weight))
        return weight * torch.from_numpy(mask)

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new graph whose chosen weights are masked. Raises BadChoice and MethodError."""
        settings = {f.name: getattr(self, f.name) for f in fields(Sparsity)}
        return WeightMethod.apply(_Ranked(**settings, choices=choices), graph, choices, data)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Masks one layer's weight by its size."""
        self._mask(graph, use, value, worth(graph, use, squares(graph.tensor(use.weight))))

    def _mask(self, graph: Graph, use: WeightUse, value: Value, scores: Scores) -> None:
        found = self._rule(value)
        found.left(scores.shape)
        put_mask(graph, use, found.mask(scores), found.stored)

    def eased(self, value: Value, progress: float) -> Value:
        """What a gradual schedule asks for at a progress of 0 to 1: a larger share. Patterns without one come last."""
        return partway(value, progress)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The operator with its share of weights; one that is sparse already gets no denser."""
        found, weight = self._rule(value), op.weights[0]
        try:
            density = found.left(weight.shape) / weight.elements
        except ValueError as error:
            raise BadChoice(f"{self.name} can't act at {op.site} with {value!r}: {error}") from error
        return (replace(op, density=min(op.density, density), pattern=found.stored),)


@dataclass(frozen=True)
class _Ranked(Sparsity):
    """The method with the choices made, the scores of all weights and, for a global ranking, their masks."""

    choices: Mapping[str, Value] = field(default_factory=dict)
    scores: Mapping[str, Scores] = field(default_factory=dict)
    masks: Mapping[str, Mask] = field(default_factory=dict)

    def prepared(self, graph: Graph, uses: Mapping[str, Sequence[WeightUse]], data: Data) -> WeightMethod:
        every = [use for found in uses.values() for use in found]
        found = {} if self.importance == MAGNITUDE else importance(self.importance).weights(graph, data)
        scores = {use.weight: worth(graph, use, scores_of(graph, use, found)) for use in every}
        return replace(self, scores=scores, masks=self._global(every, scores))

    def _global(self, uses: Sequence[WeightUse], scores: Mapping[str, Scores]) -> dict[str, Mask]:
        """The masks of the sites with a share, under one threshold."""
        chosen = [use.weight for use in uses if not isinstance(self.choices[use.site], str)]
        if self.ranking == "layer" or not chosen:
            return {}
        shares = {use.weight: self.choices[use.site] for use in uses}
        count = sum(self._rule(shares[name]).left(scores[name].shape) for name in chosen)
        return dict(zip(chosen, best_of_all([scores[name] for name in chosen], count), strict=True))

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        if use.weight in self.masks:
            put_mask(graph, use, self.masks[use.weight], "")
        else:
            self._mask(graph, use, value, self.scores[use.weight])


def _offered(words: str) -> list[Value]:
    """The values of a text: numbers are shares."""
    parts = [word.strip() for word in words.split(",") if word.strip()]
    return [float(part) if part.replace(".", "", 1).isdigit() else part for part in parts]
