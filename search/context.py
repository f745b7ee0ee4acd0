"""Context: everything that evaluating recipes of one search needs, in memory, made from rows and files alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwmodels.base import CostModel, Measurement, Profiler
from hwmodels.device import Device
from methods.base import Data, Method
from methods.catalogue import METHODS, method
from methods.graph.ir import Graph
from methods.graph.load import load_graph
from search.data import fitted, load_dataset
from search.devices import Hardware, open_hardware
from search.problem import SearchError
from search.quality import distance, outputs_of, score
from search.splits import Splits, split

Row = Mapping[str, Any]
CALIBRATION = 256
"""Training samples that scores, ranges and least squares are computed from."""
PROBES = 256
"""Reward samples that sensitivities are measured on: a smooth measure needs few."""


@dataclass
class Context:
    """Model, data and hardware of one search.

    Attributes:
        request: the validated search request. hardware: its device, opened.
        model_hash: sha256 of the model file. data_hash: of the samples.
    """

    request: Mapping[str, Any]
    graph: Graph
    hardware: Hardware
    splits: Splits
    model_hash: str
    data_hash: str
    _outputs: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def device(self) -> Device:
        """The device that the search is for."""
        return self.hardware.device

    @property
    def cost_model(self) -> CostModel:
        """What estimates costs on it."""
        return self.hardware.cost_model

    @property
    def profiler(self) -> Profiler | None:
        """What times networks on it; None for a device that can't be timed: analytical, or an imported table."""
        return None if self.device.kind == "imported" else self.hardware.profiler

    @property
    def seed(self) -> int:
        return int(self.request.get("seed", 0))

    @cached_property
    def methods(self) -> dict[str, Method]:
        """The methods that the request allows, in catalogue order, with their settings."""
        wanted = self.request.get("methods")
        return {name: method(name) for name in METHODS if wanted is None or name in wanted}

    @cached_property
    def calibration(self) -> Data:
        return self.splits.train.head(CALIBRATION)

    def probe_loss(self, graph: Graph) -> float:
        """How far a graph is from the untouched model on the samples that sensitivities are measured on."""
        probe = self.splits.reward.head(PROBES)
        return distance(outputs_of(graph, probe), self.teacher_outputs("reward")[: len(probe)], probe.labels)

    def teacher_outputs(self, part: str) -> Tensor:
        """The untouched model's outputs on a split (`reward`, `choice`, `report`), computed once."""
        if part not in self._outputs:
            self._outputs[part] = outputs_of(self.graph, getattr(self.splits, part))
        return self._outputs[part]

    def quality(self, graph: Graph, part: str) -> dict[str, float]:
        """Quality of a graph on a split, with the untouched model as teacher."""
        teacher, data = self.teacher_outputs(part), getattr(self.splits, part)
        return score(teacher if graph is self.graph else outputs_of(graph, data), data, teacher)


def open_context(request: Row, model_path: Path, dataset: Path | str, hardware: Hardware | None = None) -> Context:
    """Reads model and data, and checks that they fit. `hardware` is the request's device, opened; by default as it
    stands in the catalogue, with a table that is empty and not kept.

    Raises GraphError, DataError, HardwareModelError or SearchError with a sentence that names the trouble.
    """
    torch.set_num_threads(1)
    graph = load_graph(model_path)
    graph.check()
    data = load_dataset(dataset)
    if isinstance(dataset, Path):  # stored under a hash, which says nothing to whoever reads a message
        data = replace(data, name="the data set")
    samples = fitted(data, graph)
    hardware = hardware or open_hardware(str(request["device"]))
    seed = int(request.get("seed", 0))
    return Context(
        request=request,
        graph=graph,
        hardware=hardware,
        splits=split(samples, seed, [spec.dtype for spec in graph.inputs]),
        model_hash=hashlib.sha256(Path(model_path).read_bytes()).hexdigest(),
        data_hash=data.content_hash,
    )


def measure_pair(context: Context, programs: list[bytes]) -> list[Measurement]:
    """Times whole networks interleaved, so that their ratio is fair on a busy machine."""
    if context.profiler is None:
        raise SearchError(f"{context.device.id} has no runtime: nothing can be timed on it")
    return context.profiler.measure(programs, context.device)
