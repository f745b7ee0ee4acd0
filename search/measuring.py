"""A finalist measured: beside the untouched model and, where it is quantised, beside itself without that, in one run.

Figures of one run are fair to each other on a busy machine, and only like is compared with like: energy counts as
measured where both sides were metered, and stays modelled for both otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from hwmodels.base import Measurement, Source
from hwmodels.device import Device
from methods.catalogue import METHODS
from methods.graph.ir import Graph
from methods.graph.program import program_for
from search.candidates import Effort, compress, cost_of
from search.context import Context, measure_pair
from search.evaluate import KNOWN
from search.problem import Recipe

Document = dict[str, Any]

REPEATS = 0.015
"""Relative error of a measurement at the least: separate ones of one network differ by up to 1.5 %."""


@dataclass(frozen=True)
class Measured:
    """Cost JSON of a finalist, with the figures that were measured in place of the estimated ones.

    Attributes:
        untouched: what was measured of the untouched model in the same run; nothing on an analytical device.
        unquantised: latency and energy of the same recipe without quantisation, measured in the same run or, on an
            analytical device, modelled; nothing where nothing is quantised.
    """

    costs: Document
    untouched: Document = field(default_factory=dict)
    unquantised: Document = field(default_factory=dict)


def measured(context: Context, graph: Graph, recipe: Recipe) -> Measured:
    """Costs of a finalist, which `recipe` made."""
    costs: Document = dict(cost_of(context, graph).to_json())
    plain = unquantised(context, recipe)
    if context.profiler is None:
        estimated = dict(cost_of(context, plain).to_json()) if plain else {}
        return Measured(costs, {}, {name: estimated[name] for name in ("latency_s", "energy_j") if name in estimated})
    graphs = [context.graph, graph] + ([plain] if plain else [])
    runs = measure_pair(context, [program_for(each, context.device) for each in graphs])
    before, after, *rest = (figures_of(run, metered(runs)) for run in runs)
    return Measured(costs | after, before, rest[0] if rest else {})


@runtime_checkable
class Builder(Protocol):
    """A profiler that writes networks in a form of its runtime's own, to be taken away beside the ONNX file."""

    def artefacts(self, program: bytes, device: Device) -> Mapping[str, bytes]:
        """File name -> contents, for a network in the device's form. Raises MeasurementFailed."""


def artefacts(context: Context, graph: Graph) -> dict[str, bytes]:
    """Files that the device's runtime is given in place of the ONNX file; most take that as it is."""
    profiler = context.profiler
    if not isinstance(profiler, Builder):
        return {}
    return dict(profiler.artefacts(program_for(graph, context.device), context.device))


def metered(runs: Sequence[Measurement]) -> bool:
    """Whether the energy of all of them was read off a meter, so that it may be compared."""
    return all(run.energy_j > 0.0 for run in runs)


def figures_of(run: Measurement, with_energy: bool) -> Document:
    """What was measured, as figures; halves of one measurement can agree by chance, so no bar is below `REPEATS`."""
    found = {"latency_s": run.latency_s} | ({"energy_j": run.energy_j} if with_energy else {})
    error = max(REPEATS, run.disagreement)
    return {name: {"value": v, "source": Source.MEASURED.value, "error": error} for name, v in found.items()}


def values_of(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Figures without their sources."""
    return {name: float(entry["value"]) for name, entry in figures.items()}


def unquantised(context: Context, recipe: Recipe) -> Graph | None:
    """The network that a recipe makes without its rounding steps that operators run in; None where it has none."""
    steps = tuple(s for s in recipe.steps if not (METHODS[s.method].stage == "round" and METHODS[s.method].runs))
    if len(steps) == len(recipe.steps):
        return None
    try:
        return compress(context, Recipe(steps), Effort.NONE)
    except KNOWN:
        return None
