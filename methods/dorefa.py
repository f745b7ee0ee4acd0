"""DoReFa: weights on 2^k levels behind a hyperbolic tangent, activations clipped and rounded to k bits.

"w1a2" stands for weights of one bit and inputs of two, "w4" for weights of four and inputs as they are, 32 for floats.
Levels are spread evenly where the tangent of the weights lies, and multiplied by the scale that fits the weight best.
Gradients go straight through to weights, and to inputs inside the clip; the gradients themselves stay floats.

Reference: Zhou et al., "DoReFa-Net: training low bitwidth convolutional neural networks with low bitwidth gradients",
2016, arXiv 1606.06160.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

from torch import Tensor, fx

from hwmodels.workload import POWERS_OF_TWO, Op
from methods.base import Data, MethodError, Value
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.quantisers import ranges
from methods.graph.surgery.rounding import quantise_operand
from methods.graph.surgery.signs import never_negative
from methods.level_method import LevelMethod
from methods.numerics.affine import asymmetric, unsigned_range
from methods.numerics.dorefa import dorefa
from methods.numerics.levels import Levels
from methods.numerics.observers import OBSERVERS, Aim
from methods.weight_method import Layer, refuse

FLOAT = 32
WORDS = ("fp32", "w8", "w4a8", "w4", "w4a4", "w2", "w2a4", "w1", "w1a2")
TAKES = "a word such as w1a2 or w4 (1 to 8 bits, or 32 for floats, of weights and inputs), or fp32"


@dataclass(frozen=True)
class DoReFa(LevelMethod):
    """Choices: words such as "w1a2" and "w4"; "fp32" leaves a layer as it is.

    Attributes:
        scaled: whether levels are multiplied by the scale that fits best; without it weights reach from -1 to 1, as in
            the paper, which relies on a batch normalisation behind every layer.
        clip: largest input; 0 takes the range that `observer` finds on `samples` samples, 1 is the paper's.
    """

    scaled: bool = True
    clip: float = 0.0
    observer: str = "mse"
    samples: int = 256
    name: str = "dorefa"
    runs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.clip < float("inf") or self.samples < 1:
            raise MethodError(f"dorefa takes a clip of 0 or more, not {self.clip!r}, and samples, not {self.samples!r}")
        if self.observer not in OBSERVERS:
            raise MethodError(f"dorefa has no observer {self.observer!r:.40}; there are {', '.join(OBSERVERS)}")

    def words(self, layer: Layer) -> tuple[Value, ...]:  # noqa: ARG002
        return WORDS

    def checked(self, site: str, value: Value) -> Value | None:
        """The word, None where everything stays in floats. Raises BadChoice."""
        if value == WORDS[0]:
            return None
        widths = bits_of(value)
        if not all(1 <= width <= 8 or width == FLOAT for width in widths):
            raise refuse(self.name, site, value, TAKES)
        return None if widths == (FLOAT, FLOAT) else value

    def levels(self, weight: Tensor, value: Value) -> Levels:
        """The 2^k levels of the weight."""
        return dorefa(weight, bits_of(value)[0], self.scaled)

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The weight on its levels; as it is where only inputs are rounded."""
        return weight if bits_of(value)[0] == FLOAT else super().project(weight, value)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Rounds the weight; inputs too in `_Calibrated`, which has seen them."""
        if bits_of(value)[0] != FLOAT:
            super().install(graph, use, value)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The operator with its weights' stored width and narrower inputs."""
        weights, inputs = bits_of(value)
        if weights != FLOAT:
            op = replace(op, stored_bits=self._bits(value), levels=POWERS_OF_TWO if self.shifts(value) else "")
        return (replace(op, inputs=(replace(op.inputs[0], bits=inputs), *op.inputs[1:])),)

    def shifts(self, value: Value) -> bool:
        """Whether there are only two levels."""
        return bits_of(value)[0] == 1

    def count(self, value: Value) -> int:
        return 1 << bits_of(value)[0]

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new graph with narrow layers. Raises BadChoice, and MethodError for a broken weight or missing samples."""
        settings = {f.name: getattr(self, f.name) for f in fields(DoReFa)}
        return LevelMethod.apply(_Calibrated(**settings, choices=choices), graph, choices, data)


@dataclass(frozen=True)
class _Calibrated(DoReFa):
    """The method with the choices made and the ranges of the layers' inputs: by the name of the value and its bits."""

    choices: Mapping[str, Value] = field(default_factory=dict)
    seen: Mapping[tuple[str, int], tuple[float, float]] = field(default_factory=dict)

    def prepared(self, graph: Graph, uses: Mapping[str, Sequence[WeightUse]], data: Data) -> _Calibrated:
        wanted: dict[int, dict[str, Aim]] = {}
        for site, layers in uses.items():
            bits = bits_of(self.choices[site])[1]
            aims = {_input(use).name: Aim(unsigned_range(bits)) for use in layers}
            wanted.setdefault(bits, {}).update(aims if bits != FLOAT else {})
        if self.clip or not any(wanted.values()):
            return self
        if not len(data):
            raise MethodError("dorefa needs samples to see how large inputs get: give it some, or set its clip")
        inputs = data.head(self.samples).inputs
        try:
            found = {bits: ranges(graph, aims, inputs, self.observer) for bits, aims in wanted.items() if aims}
        except ValueError as error:
            raise MethodError(f"dorefa can't round inputs: {error}") from error
        return replace(self, seen={(name, bits): r for bits, row in found.items() for name, r in row.items()})

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        bits = bits_of(value)[1]
        super().install(graph, use, value)
        if bits == FLOAT:
            return
        source = _input(use)
        least, most = self.seen.get((source.name, bits), (0.0 if never_negative(source) else -self.clip, self.clip))
        codes = asymmetric(least, most, unsigned_range(bits))
        settings = (float(codes.scale), int(codes.zero_point), codes.low, codes.high)
        use.node.update_arg(0, quantise_operand(graph, use.node, source, settings))


def bits_of(word: Value) -> tuple[int, int]:
    """Bits of weights and inputs; zeros for what is no such word."""
    found = re.fullmatch(r"w(\d{1,2})(?:a(\d{1,2}))?", str(word), re.ASCII)
    return (int(found[1]), int(found[2] or FLOAT)) if found else (0, 0)


def _input(use: WeightUse) -> fx.Node:
    source = use.node.args[0]
    assert isinstance(source, fx.Node)
    return source
