"""inspect: what a model offers to a search - sites, coupled groups, what is frozen and why, costs per operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hwmodels.device import Device
from methods.catalogue import METHODS
from methods.graph.edit import verify
from methods.graph.export import export
from methods.graph.file import packed_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.trace import couple
from search.devices import open_device

Document = dict[str, Any]


def describe(graph: Graph, device: Device | None = None) -> Document:
    """Everything about a graph as JSON: inputs, groups with the error of their numeric check, frozen channels with
    the reason, weight sites, operators (with costs on `device` where one is given), and how much can be acted on."""
    coupling, errors = couple(graph), verify(graph)
    workload = lower(graph, device.batch if device else 1, dims=True)
    groups = [
        {
            "site": site,
            "units": len(group),
            "layers": sorted({s.parameter for s in group.units[0] if s.role != "along"}),
            "relative_error": errors[site],
        }
        for site, group in coupling.groups.items()
    ]
    document: Document = {
        "inputs": [{"name": s.name, "shape": ["N", *s.shape], "dtype": s.dtype} for s in graph.inputs],
        "outputs": list(graph.output_names),
        "parameters": graph.parameter_count,
        "macs": workload.macs,
        "file_bytes": packed_bytes(graph),
        "groups": groups,
        "frozen": [{"site": f.site, "units": f.units, "reason": f.reason} for f in coupling.frozen],
        "weights": [use.site for use in graph.weight_uses()],
        "coverage": _coverage(graph, {d.site for op in workload.ops for d in op.dims}),
        "operators": [_operator(op) for op in workload.ops],
    }
    return document | ({"device": _on_device(graph, device)} if device else {})


def _operator(op: Any) -> Document:
    return {
        "name": op.name,
        "kind": op.kind,
        "site": op.site,
        "output": list(op.outputs[0].shape) if op.outputs else [],
        "macs": op.macs,
        "weight_bytes": op.weight_bytes,
    }


def _coverage(graph: Graph, sites: set[str]) -> Document:
    """Share of MACs in operators whose width can change, and in operators whose weights can take another form."""
    workload = lower(graph, 1, dims=True)
    total = workload.macs or 1
    wide = sum(op.macs for op in workload.ops if any(d.site in sites for d in op.dims))
    weighted = sum(op.macs for op in workload.ops if op.site)
    return {"channels_share_of_macs": wide / total, "weights_share_of_macs": weighted / total}


def _on_device(graph: Graph, device: Device) -> Document:
    """Costs on a device, per operator and in total, and what each method may choose there."""
    model, _ = open_device(device, [], lambda _: None)
    workload = lower(graph, device.batch)
    cost = model.estimate(replace(workload, program=export(graph) if device.profiler else None), device)
    spaces = {name: method_space(graph, device, name) for name in METHODS}
    return {
        "id": device.id,
        "costs": cost.to_json(),
        "operators": [
            {"name": c.name, "kind": c.kind, "latency_s": c.latency_s, "energy_j": c.energy_j, "source": str(c.source)}
            for c in cost.per_op
        ],
        "spaces": spaces,
    }


def method_space(graph: Graph, device: Device, name: str) -> dict[str, list[Any]]:
    """What one method may choose at each site."""
    from methods.catalogue import method  # kept beside its only use

    return {site: list(values) for site, values in method(name).space(graph, device).sites.items()}
