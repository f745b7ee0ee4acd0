"""Binary weights: the sign of every weight, times one scale for each output channel; "xnor" has binary inputs too.

With "xnor" a layer reads the signs of its inputs and its outputs are multiplied by the mean magnitude of the inputs
under each position of the kernel. Runtimes compute both in floating point: what gets smaller is the file.

Reference: Rastegari, Ordonez, Redmon and Farhadi, "XNOR-Net", 2016, arXiv 1603.05279 (binary-weight networks and
XNOR-networks); Courbariaux, Bengio and David, "BinaryConnect", 2015, arXiv 1511.00363; McDonnell, 2018, arXiv
1802.08530 (a scale from the fan-in alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from hwmodels.device import Device
from methods.base import MethodError, Space, Value
from methods.choices import as_word
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.signs import read_signs, why_not
from methods.level_method import LevelMethod
from methods.numerics.levels import BINARY_SCALES, Levels, binary
from methods.weight_method import Layer

WORDS = ("fp32", "binary", "xnor")


@dataclass(frozen=True)
class Binary(LevelMethod):
    """Choices: "binary" weights, "xnor" for binary weights and inputs, or "fp32" to leave a layer as it is.

    Attributes:
        scale: "channel" or "layer" for the mean magnitude of each, "fan-in" for sqrt(2 / fan-in), "one" for 1.
    """

    scale: str = "channel"
    name: str = "binary"
    runs: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.scale not in BINARY_SCALES:
            raise MethodError(f"the scale of binary may be {', '.join(BINARY_SCALES)}, not {self.scale!r:.40}")

    def words(self, layer: Layer) -> tuple[Value, ...]:
        return WORDS if layer.groups == 1 else WORDS[:2]

    def checked(self, site: str, value: Value) -> Value | None:
        """The word, None for "fp32". Raises BadChoice."""
        word = as_word(self.name, site, value, WORDS)
        return None if word == WORDS[0] else word

    def space(self, graph: Graph, device: Device) -> Space:
        """Binary weights wherever levels go; binary inputs only where those have signs."""
        offered = dict(super().space(graph, device).sites)
        for use in graph.weight_uses():
            if use.site in offered and why_not(graph, use):
                offered[use.site] = tuple(v for v in offered[use.site] if v != "xnor")
        return Space(offered)

    def levels(self, weight: Tensor, value: Value) -> Levels:  # noqa: ARG002
        """Two levels for each output channel, or for the layer."""
        return binary(weight, self.scale)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        """Binary weights, and the signs of the inputs where asked for."""
        if value == "xnor":
            reason = why_not(graph, use)
            if reason:
                raise ValueError(f"{reason}; take 'binary' or leave it as is")
        super().install(graph, use, value)
        if value == "xnor":
            read_signs(graph, use)

    def shifts(self, value: Value) -> bool:  # noqa: ARG002
        """Whether multiplying by a level is shifting."""
        return True

    def count(self, value: Value) -> int:  # noqa: ARG002
        return 2
