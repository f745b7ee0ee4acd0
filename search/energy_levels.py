"""Where the energy went, before and after: arithmetic, each memory, and what the device draws whatever it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.base import HardwareModelError, Source
from hwmodels.levels import energy_levels
from methods.graph.ir import Graph
from methods.graph.lower import lower
from search.candidates import cost_of
from search.context import Context

Document = dict[str, Any]


def compare_energy(context: Context, graph: Graph) -> Document:
    """Joules of a call by level, of the untouched network and of `graph`, as the device's datasheet models them.

    Levels that neither uses are left out; empty where the device has no figures for energy. Meters don't tell levels
    apart, so this is modelled even where the total was measured, and `source` says so.
    """
    try:
        before, after = _levels(context, context.graph), _levels(context, graph)
    except HardwareModelError:
        return {}
    names = [name for name in before if before[name] or after[name]]
    levels = [{"name": name, "before": before[name], "after": after[name]} for name in names]
    return {"levels": levels, "source": Source.MODELLED.value} if levels else {}


def _levels(context: Context, graph: Graph) -> Mapping[str, float]:
    seconds: dict[str, float] = {}
    for part in cost_of(context, graph).per_op:
        seconds[part.name] = seconds.get(part.name, 0.0) + part.latency_s
    return energy_levels(lower(graph, context.device.batch), context.device, seconds)
