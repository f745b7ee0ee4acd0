"""What is answered before anything is searched: can the limits be kept at all, and what is the least achievable?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any

from hwmodels.base import METRICS
from hwmodels.roofline import Roofline
from methods.graph.file import packed_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.program import program_for
from search.candidates import Effort, compress, cost_of
from search.context import Context
from search.evaluate import KNOWN
from search.limits import parse_limits, resolve
from search.problem import Limit, Recipe, Step, Variable

Document = dict[str, Any]

FORMS = ("mask", "share", "round")
"""Stages whose strongest choices, on top of the narrowest network, bound what can be achieved."""
FAR = 2.0
"""A limit that is this many times below what a first look finds is refused without a second one."""


def first_look(context: Context, variables: Sequence[Variable]) -> Document | None:
    """A refusal from one short look at the stopwatch, or None where a closer look is needed.

    Looking up operators takes seconds the first time; timing the untouched and the strongest networks as a whole takes
    one, and is enough to see that a latency is out of reach by far.
    """
    limits = parse_limits(context.request["limits"])
    if context.profiler is None or "latency" not in {limit.metric for limit in limits}:
        return None
    graphs = [context.graph, *strongest(context, variables, running=True)]
    times = context.profiler.glance([program_for(graph, context.device) for graph in graphs], context.device)
    documents: list[Document] = []
    for graph, time in zip(graphs, times, strict=True):
        costs: Document = dict(Roofline().estimate(lower(graph, context.device.batch), context.device).to_json())
        size = {"value": float(packed_bytes(graph)), "source": "counted", "error": 0.0}
        latency = {"value": time.latency_s, "source": "measured", "error": time.disagreement}
        documents.append({**costs, "latency_s": latency, "file_bytes": size})
    least = least_of(documents)
    absolute = resolve(limits, upper_ends(documents[0]))
    refused = below([limit for limit in absolute if limit.metric == "latency"], least, FAR)
    return described(context, documents[0], absolute, least, refused) if refused else None


def described(
    context: Context, costs: Mapping[str, Any], limits: Sequence[Limit], least: Document, refused: Sequence[Document]
) -> Document:
    """The beginning of a prepared document: the untouched model, its limits, and which of them are out of reach."""
    reference = {
        "costs": costs,
        "quality": context.quality(context.graph, "reward"),
        "parameters": context.graph.parameter_count,
    }
    return {
        "reference": reference,
        "limits": [_limit(limit, costs) for limit in limits],
        "least_achievable": least,
        "infeasible": list(refused),
    }


def strongest(context: Context, variables: Sequence[Variable], running: bool = False) -> list[Graph]:
    """The network with the strongest choice of several methods at every site: nothing searched over is smaller.

    `running` leaves out the methods that only change how weights are stored.
    """
    available = list(dict.fromkeys(v.method for v in variables))
    narrow = [name for name in available if context.methods[name].stage == "shape"]
    forms = [n for n in available if context.methods[n].stage in FORMS and (context.methods[n].runs or not running)]
    graphs = []
    for names in (narrow + list(chosen) for chosen in _subsets(forms)):
        steps = (Step(m, {v.site: v.values[-1] for v in variables if v.method == m}) for m in names)
        try:
            graphs += [compress(context, Recipe(tuple(steps)), Effort.NONE)] if names else []
        except KNOWN:
            continue
    return graphs


def _subsets(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Every choice of some of the names, in their order; of more than three, none, each, and all."""
    sizes = range(len(names) + 1) if len(names) <= 3 else (0, 1, len(names))
    return chain.from_iterable(combinations(names, size) for size in sizes)


def least_achievable(context: Context, variables: Sequence[Variable], untouched: Mapping[str, Any]) -> Document:
    """Metric -> the smallest value that the strongest choices reach, as the device's cost model has it."""
    documents: list[Mapping[str, Any]] = [untouched]
    for graph in strongest(context, variables):
        try:
            documents.append(cost_of(context, graph).to_json())
        except KNOWN:
            continue
    return least_of(documents)


def least_of(documents: Sequence[Mapping[str, Any]]) -> Document:
    """Metric -> the smallest of its figures."""
    least = {}
    for metric, figure in METRICS.items():
        entries = [d[figure] for d in documents if figure in d]
        if entries:
            least[metric] = min(entries, key=lambda e: float(e["value"]))
    return least


def below(limits: Sequence[Limit], least: Document, times: float = 1.0) -> list[Document]:
    """Limits that lie `times` under the least achievable value, even at the lower end of its error bar."""
    found = []
    for limit in limits:
        entry = least[limit.metric]
        if float(entry["value"]) * (1.0 - float(entry["error"])) > limit.value * times:
            found.append({"metric": limit.metric, "limit": limit.value, "text": limit.text, "least": entry["value"]})
    return found


def upper_ends(costs: Mapping[str, Any]) -> dict[str, float]:
    """What ratios are taken of: candidates count at the upper end of their error bar, so the untouched one does too."""
    return {name: float(entry["value"]) * (1.0 + float(entry["error"])) for name, entry in costs.items()}


def _limit(limit: Limit, costs: Mapping[str, Any]) -> Document:
    relative = limit.text.rstrip()[-1:] in "xX×"
    ratio = limit.value / upper_ends(costs)[limit.figure] if relative else None
    return {"metric": limit.metric, "value": limit.value, "text": limit.text, "ratio": ratio}
