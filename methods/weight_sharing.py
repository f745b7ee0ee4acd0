"""Weight sharing: each weight becomes an index into a small codebook, which k-means finds and training refines.

Arithmetic stays in floating point, so nothing gets faster: the file gets smaller. Gradients of all weights that share
a value add up at the codebook, as in the reference. Weights that a mask holds at zero have no part in the codebook.
An index may also stand for several weights in a row (vector quantisation).

Reference: Han, Mao and Dally, "Deep compression", 2016, arXiv 1510.00149, section 3; Gong et al., "Compressing deep
convolutional networks using vector quantization", 2014, arXiv 1412.6115.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import MethodError, Value
from methods.choices import as_bits
from methods.graph.ir import Graph, WeightUse
from methods.graph.surgery.forms import is_full, is_plain, mask_of, share_weight
from methods.numerics.kmeans import SOLVERS, cluster
from methods.numerics.vector_quantisation import cluster_vectors, pieces
from methods.weight_method import KINDS, Layer, WeightMethod

WIDTHS = (8, 6, 5, 4, 3, 2)


@dataclass(frozen=True)
class WeightSharing(WeightMethod):
    """Choices: the bits of an index, 1 to 8; 0 leaves the weight as it is.

    Attributes:
        solver: "fast", "sampled" or "exact" (`methods/numerics/kmeans.py`).
        sample: share of the weights that "sampled" fits the codebook on. seed: which of them.
        length: how many weights in a row share an index; the solver is Lloyd's for more than one.
    """

    solver: str = "fast"
    sample: float = 0.01
    seed: int = 0
    length: int = 1
    name: str = "weight-sharing"
    stage: ClassVar[str] = "share"
    runs: ClassVar[bool] = False
    helps: ClassVar[frozenset[str]] = frozenset({"size"})
    kinds: ClassVar[tuple[str, ...]] = (*KINDS, "conv_transpose")

    def __post_init__(self) -> None:
        whole = isinstance(self.seed, int) and isinstance(self.length, int)
        if not whole or self.seed < 0 or self.length < 1:
            raise MethodError(
                f"{self.name} takes a seed from 0 and a length from 1, not {self.seed!r}, {self.length!r}"
            )
        if self.solver not in SOLVERS or not isinstance(self.sample, int | float) or not 0 < self.sample <= 1:
            given = f"{self.solver!r}, {self.sample!r}"
            raise MethodError(f"{self.name} takes a solver ({', '.join(SOLVERS)}) and a sample in (0, 1], not {given}")

    def values(self, layer: Layer, device: Device) -> Sequence[Value]:  # noqa: ARG002
        """The widths at which codebook and indices are smaller than the weight."""
        if layer.inputs % self.length:
            return (0,)
        return (0, *(bits for bits in WIDTHS if self._cost(bits, layer.elements) < 32))

    def checked(self, site: str, value: Value) -> Value | None:
        return as_bits(self.name, site, value) or None

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """Every weight becomes the nearest centre."""
        book, indices = self._shared(weight, int(value), None)
        return book[indices.long()].reshape(weight.shape)

    def install(self, graph: Graph, use: WeightUse, value: Value) -> None:
        share_weight(graph, use, *self._shared(graph.tensor(use.weight), int(value), mask_of(graph, use)))

    def made(self, op: Op, value: Value) -> tuple[Op, ...]:
        """The same operator, whose weights are stored as indices (and books of several weights, which count more)."""
        bits = self._cost(int(value), op.weights[0].elements) if self.length > 1 else float(value)
        return (replace(op, stored_bits=bits),)

    def fits(self, graph: Graph, use: WeightUse) -> bool:  # noqa: ARG002
        """Full weights, masked or not; several in a row only where none are masked."""
        return is_full(use) if self.length == 1 else is_plain(use)

    def _cost(self, bits: int, weights: int) -> float:
        """Bits of each weight, those of the codebook included."""
        return bits / self.length + (32 << bits) * self.length / weights

    def _shared(self, weight: Tensor, bits: int, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """The codebook `[k]` of the weights that are kept, and indices of the weight's shape, 0 for the others.

        With several in a row: `[k, length]`, and an index for each row of them.
        """
        weight = weight.detach()
        if self.length != 1:
            return self._shared_rows(weight, bits)
        kept = torch.ones_like(weight, dtype=torch.bool) if mask is None else mask
        if not kept.any():
            return weight.new_zeros(1), torch.zeros_like(weight, dtype=torch.uint8)
        found = cluster(weight[kept].numpy(), 1 << bits, None, self.solver, self.sample, self.seed)
        indices = torch.zeros_like(weight, dtype=torch.uint8)
        indices[kept] = torch.from_numpy(found.indices)
        return torch.from_numpy(found.centres), indices

    def _shared_rows(self, weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
        found = cluster_vectors(pieces(weight.reshape(len(weight), -1).numpy(), self.length), 1 << bits, self.seed)
        return torch.from_numpy(found.centres), torch.from_numpy(found.indices)
