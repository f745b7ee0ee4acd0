"""Layer by layer: what each operator cost before and after, and what was chosen for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwmodels.workload import Op
from methods.graph.coupling.trace import couple
from methods.graph.ir import Graph
from methods.graph.lower import lower
from search.candidates import cost_of
from search.context import Context
from search.guide import stored_bytes
from search.problem import Recipe
from search.summary import at_site


def compare_layers(context: Context, graph: Graph, recipe: Recipe) -> list[dict[str, Any]]:
    """One row per operator with weights: MACs, stored bytes and latency before and after, and its choices."""
    before = lower(context.graph, context.device.batch, dims=True)
    after = lower(graph, context.device.batch)
    was, now = _latencies(context, context.graph), _latencies(context, graph)
    made: dict[str, list[Op]] = {}
    for op in after.ops:
        made.setdefault(op.site or op.name, []).append(op)
    rows = []
    for op in before.ops:
        if not op.weights:
            continue
        rows.append(
            {
                "name": op.site.removeprefix("weight:") or op.name,
                "kind": op.kind,
                "before": _row([op], was),
                "after": _row(made.get(op.site or op.name, []), now),
                "choices": _choices(context.graph, op, recipe),
            }
        )
    return rows


def _latencies(context: Context, graph: Graph) -> dict[str, float]:
    """Operator -> seconds, as the search's device has it."""
    return {part.name: part.latency_s for part in cost_of(context, graph).per_op}


def _row(ops: list[Op], latencies: Mapping[str, float]) -> dict[str, float]:
    return {
        "macs": sum(o.macs for o in ops),
        "weight_bytes": round(sum(stored_bytes(o) for o in ops)),
        "latency_s": sum(latencies.get(o.name, 0.0) for o in ops),
    }


def _choices(graph: Graph, op: Op, recipe: Recipe) -> dict[str, Any]:
    """The recipe's choices that touch a layer: its own weight, the channels that it makes, the blocks that it is in."""
    weights = {use.weight for use in graph.weight_uses() if use.site == op.site}
    groups = couple(graph).groups
    makes = {s for s, g in groups.items() if any(p.parameter in weights and p.role == "out" for p in g.places)}
    return {
        at_site(step.method, site): value
        for step in recipe.steps
        for site, value in step.choices.items()
        if site == op.site or site in makes or site in op.blocks
    }
