"""Hashed weights: a cheap hash of its place says which of a few trained buckets a weight reads, and with which sign.

The hash is not stored, only the buckets are. Runtimes compute with the expanded weight, so only the file gets smaller;
gradients of all weights in a bucket add up there.

Reference: Chen et al., "Compressing neural networks with the hashing trick", 2015, arXiv 1504.04788.
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
from methods.choices import as_share
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import look_up
from methods.numerics.hashing import Floats, Hashed, bucket_values, expanded, hashed
from methods.weight_method import Layer, WeightMethod

SHARES = (0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625)
SEEDS = 16
"""Seeds that there are. A file says which one, and none of the indices."""


@dataclass(frozen=True)
class Hashing(WeightMethod):
    """Choices: buckets as a share of the weights; 1 leaves the weight as it is.

    Attributes:
        seed: of the hash, 0 to 15.
    """

    seed: int = 0
    name: str = "hashing"
    stage: ClassVar[str] = "structure"
    runs: ClassVar[bool] = False
    helps: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or not 0 <= self.seed < SEEDS:
            raise MethodError(f"{self.name} takes a seed of 0 to {SEEDS - 1}, not {self.seed!r}")

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """Halved shares, as long as a bucket is left."""
        return (1.0, *(share for share in SHARES if share * layer.elements >= 1))

    def checked(self, site: str, value: Value) -> Value | None:
        share = as_share(self.name, site, value)
        return share if share < 1 else None

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """Every entry becomes its bucket's mean, with its own sign."""
        values, places = self._hashed(weight, value)
        return torch.from_numpy(expanded(values, places))

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        values, places = self._hashed(graph.tensor(use.weight), value)
        indices, signs = torch.from_numpy(places.indices), torch.from_numpy(places.signs)
        look_up(graph, use, "buckets", torch.from_numpy(values), indices, signs)

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The same operator, whose weights are stored as their buckets."""
        shape = op.weights[0].shape
        return (replace(op, stored_bits=32.0 * _buckets(shape, value) / prod(shape)),)

    def _hashed(self, weight: Tensor, value: Value) -> tuple[Floats, Hashed]:
        """The best bucket values, and where the weight's places go."""
        shape = tuple(weight.shape)
        count = _buckets(shape, value)
        places = hashed(shape, count, self.seed)
        return bucket_values(weight.detach().numpy(), places, count), places


def _buckets(shape: tuple[int, ...], value: Value) -> int:
    return max(1, round(float(value) * prod(shape)))
