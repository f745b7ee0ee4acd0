"""The Method, Importance and Recovery protocols, the Space of a method, and what can go wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.graph.ir import Graph

Value = float | int | str

STAGES = {
    "shape": "removes units or whole blocks, which is only safe while weights are plain",
    "factor": "replaces a layer by thinner ones, computed from its full weight",
    "structure": "ties the entries of a full weight to each other by a rule",
    "mask": "holds weights at zero, in whatever layers are there by then",
    "share": "clusters the weights that a mask has left",
    "round": "rounds what comes out of all the others",
}
"""The stages of a recipe in order, with the reason why each stands where it does."""
RESHAPES = ("shape", "factor")
"""Stages after which layers have other shapes: accuracy is won back behind them, before forms are put on."""
EVERYTHING = frozenset({"latency", "energy", "size", "memory", "macs"})


class MethodError(Exception):
    """A compression method could not do what it was asked."""


class BadChoice(MethodError):
    """A choice lies outside the method's space."""


@dataclass(frozen=True)
class Data:
    """Samples: one tensor per model input, each `[n, ...]`, and labels `[n]` where there are any."""

    inputs: tuple[Tensor, ...]
    labels: Tensor | None = None

    def __len__(self) -> int:
        return int(self.inputs[0].shape[0])

    def take(self, index: Tensor) -> Data:
        """The samples at `index` ([k] of int64)."""
        return Data(tuple(x[index] for x in self.inputs), None if self.labels is None else self.labels[index])

    def head(self, count: int) -> Data:
        """The first `count` samples."""
        return self.take(torch.arange(min(count, len(self))))


@dataclass(frozen=True)
class Space:
    """What may be chosen: site -> values, of which the first means "leave as is". Empty: not applicable."""

    sites: Mapping[str, tuple[Value, ...]]


class Method(Protocol):
    """One way to make a model smaller. A frozen dataclass: its fields are the settings not searched over.

    Attributes:
        stage: where in a recipe it stands; one of `STAGES`.
        runs: whether it changes how operators run. If not, runtimes compute as before, and only the file gets smaller.
        helps: the metrics for which a search tries it unasked. Empty: only where a request names it.
    """

    stage: ClassVar[str]
    runs: ClassVar[bool]
    helps: ClassVar[frozenset[str]]

    @property
    def name(self) -> str: ...

    def space(self, graph: Graph, device: Device) -> Space:
        """The sites that this method can act on in `graph`, with what `device` supports."""

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A new Graph; the given one stays as it was. Raises BadChoice, naming site and remedy."""

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """What the choices make of one operator of the Workload: for plans, without touching a Graph."""


class Importance(Protocol):
    """Scores the units of a channel site: one number per unit, larger is worth more."""

    @property
    def name(self) -> str: ...

    def score(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Channel site -> scores `[units]`, for every site of the graph."""

    def weights(self, graph: Graph, data: Data) -> dict[str, Tensor]:
        """Parameter -> scores of its shape, for the weight of each convolution and linear layer.

        Raises MethodError, naming those that can, where an importance only knows whole units.
        """


class Recovery(Protocol):
    """Wins accuracy back after compression, without changing shapes, forms or masks."""

    @property
    def name(self) -> str: ...

    def recover(self, graph: Graph, teacher: Graph, data: Data, seed: int) -> Graph:
        """A new Graph; neither the given one nor the teacher changes."""
