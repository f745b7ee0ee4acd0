"""Circulant weights: of every square block of a weight one column is kept, the others are its rotations.

A block of b x b needs b numbers instead of b^2, and its product takes b log b steps by Fourier transforms. Runtimes of
today compute with the expanded weight, so only the file gets smaller; gradients add up along the wrapped diagonals.

Reference: Cheng et al., "An exploration of parameter redundancy in deep networks with circulant projections", 2015,
arXiv 1502.03436; Ding et al., "CirCNN", 2017, arXiv 1708.08917 (blocks, and convolutions place by place).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import MethodError, Value
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import look_up
from methods.numerics.circulant import best_columns, blocks_shape, diagonals, expanded, random_flips
from methods.weight_method import Layer, WeightMethod, refuse

BLOCKS = (2, 4, 8, 16, 32, 64)
WHOLE = "whole"


@dataclass(frozen=True)
class Circulant(WeightMethod):
    """Choices: the side of a block, a power of two; "whole" for one circulant matrix; 0 leaves the weight as it is.

    Attributes:
        flips: whether the inputs change sign at random first, as in the first reference. seed: which of them.
    """

    flips: bool = True
    seed: int = 0
    name: str = "circulant"
    stage: ClassVar[str] = "structure"
    runs: ClassVar[bool] = False
    helps: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.flips, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise MethodError(
                f"{self.name} takes flips true or false and a seed from 0, not {self.flips!r}, {self.seed!r}"
            )

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """The blocks that need fewer numbers than the weight has."""
        fitting = (block for block in BLOCKS if block <= max(layer.shape[:2]))
        return (0, *(block for block in fitting if prod(blocks_shape(layer.shape, block)) < layer.elements))

    def checked(self, site: str, value: Value) -> Value | None:
        if value == WHOLE:
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value == 1 or value < 0 or value & (value - 1):
            raise refuse(self.name, site, value, f"a block of 2, 4, 8, ... or {WHOLE!r}, or 0 to leave it as it is")
        return value or None

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """Every entry becomes the mean of its wrapped diagonal."""
        flips = self._flips(weight)
        return expanded(best_columns(weight.detach(), _block(weight, value), flips), tuple(weight.shape), flips)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        weight = graph.tensor(use.weight).detach()
        flips, block = self._flips(weight), _block(weight, value)
        columns = best_columns(weight, block, flips).reshape(-1)
        signs = flips.reshape(1, -1, *[1] * (weight.dim() - 2)) if self.flips else None
        look_up(graph, use, "circulant", columns, diagonals(tuple(weight.shape), block), signs)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The same operator, whose weights are stored as one column for each block."""
        shape = op.weights[0].shape
        block = max(shape[:2]) if value == WHOLE else int(value)
        return (replace(op, stored_bits=32.0 * prod(blocks_shape(shape, block)) / prod(shape)),)

    def _flips(self, weight: Tensor) -> Tensor:
        inputs = weight.shape[1]
        return random_flips(inputs, self.seed) if self.flips else torch.ones(inputs, dtype=torch.int8)


def _block(weight: Tensor, value: Value) -> int:
    return max(weight.shape[:2]) if value == WHOLE else int(value)
