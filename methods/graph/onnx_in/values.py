"""What an ONNX value is while it is read: a constant that is known, or a value of the network that is being built.

Every value is carried at two batch sizes at once, so that whatever a file computes from shapes (Shape, Gather,
Concat, Reshape) folds to numbers, and a number that differs between the two is read as `factor x batch + offset`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.graph.nodes_json import BadFile

PROBES = (11, 13)
"""The two batch sizes: primes that real axes seldom have."""


@dataclass(frozen=True)
class Size:
    """An axis that follows the batch: `factor * batch + offset`."""

    factor: int
    offset: int = 0

    def at(self, batch: int) -> int:
        return self.factor * batch + self.offset

    def __str__(self) -> str:
        text = "batch" if self.factor == 1 else f"{self.factor} x batch"
        return f"{text} + {self.offset}" if self.offset else text


def size_of(pair: tuple[int, int]) -> int | Size:
    """The axis whose size at the two probes is `pair`. Raises BadFile where it is not linear in the batch."""
    if pair[0] == pair[1]:
        return pair[0]
    factor, rest = divmod(pair[1] - pair[0], PROBES[1] - PROBES[0])
    if rest:
        raise BadFile("an axis depends on the batch size in a way that is neither fixed nor a multiple of it")
    return Size(factor, pair[0] - factor * PROBES[0])


def at(size: int | Size, batch: int) -> int:
    return size.at(batch) if isinstance(size, Size) else size


@dataclass(frozen=True)
class Quantiser:
    """Codes behind a constant: `scale` and `zero` `[channels]` along `axis`, lowest and highest code."""

    scale: Tensor
    zero: Tensor
    axis: int
    low: int
    high: int

    def turned(self) -> Quantiser:
        return Quantiser(self.scale, self.zero, 1 - self.axis, self.low, self.high)


@dataclass(frozen=True)
class Codes:
    """What QuantizeLinear did to a value: to be undone by the DequantizeLinear that follows."""

    source: Value
    scale: Value
    zero: Value | None
    axis: int


@dataclass(frozen=True)
class Grouped:
    """A group normalisation without weights, as InstanceNormalization of a reshape spells it."""

    source: Value
    groups: int
    eps: float


@dataclass(eq=False)
class Value:
    """One ONNX value.

    Attributes:
        probes: it at the two batch sizes; real numbers for a constant, shapes alone (device meta) otherwise.
        row: the graph node that computes it; empty for a constant.
        name: the initializer that a constant is, if it is one as it stands or, where `turned`, transposed.
        feeds: the network input that it is a copy of.
        outer: where an axis is a multiple of the batch, how much of the factor is in front of the batch.
        shared: whether other names stand for it too.
        base: the constant that this one repeats along the batch.
        quantiser: where a constant comes out of DequantizeLinear.
        parent: what it is a reshape of or, where it has an `order`, a permutation; `solo` if nothing else reads that.
        grouped: where it is a group normalisation in another shape.
        codes: where a value comes out of QuantizeLinear.
    """

    probes: tuple[Tensor, Tensor]
    row: str = ""
    name: str = ""
    turned: bool = False
    feeds: str = ""
    shared: bool = False
    outer: int = 1
    base: Value | None = None
    quantiser: Quantiser | None = None
    codes: Codes | None = None
    parent: Value | None = None
    order: tuple[int, ...] = ()
    solo: bool = False
    grouped: Grouped | None = None

    @property
    def live(self) -> bool:
        """Whether it depends on the network's inputs or parameters, rather than being a known constant."""
        return bool(self.row)

    @property
    def fixed(self) -> bool:
        """Whether the constant is the same at every batch size."""
        a, b = self.probes
        return not self.live and (a is b or (a.shape == b.shape and bool((a == b).all())))

    @property
    def rank(self) -> int:
        return self.probes[0].dim()

    @property
    def dtype(self) -> torch.dtype:
        return self.probes[0].dtype

    @property
    def is_float(self) -> bool:
        return self.dtype.is_floating_point

    @property
    def sizes(self) -> list[int | Size]:
        """Its shape; axes that follow the batch are Sizes. Raises BadFile where the rank depends on the batch."""
        a, b = self.probes
        if a.dim() != b.dim():
            raise BadFile("a value has another number of axes at another batch size")
        return [size_of(pair) for pair in zip(a.shape, b.shape, strict=True)]

    def static(self, axis: int) -> int:
        """The size of an axis that may not follow the batch."""
        size = self.sizes[axis]
        if isinstance(size, Size):
            raise BadFile(f"axis {axis} follows the batch size, which this operator can't work on")
        return size

    def number(self) -> float | int | bool | None:
        """The one number that a constant holds at every batch size, or None."""
        if self.live or not self.fixed or self.probes[0].numel() != 1:
            return None
        found: float | int | bool = self.probes[0].item()
        return found


def constant(tensor: Tensor, name: str = "") -> Value:
    """A constant that does not depend on the batch."""
    return Value((tensor, tensor), name=name)
