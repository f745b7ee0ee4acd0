"""inspect: what a model offers to a search - coupled groups, blocks, weights, what is frozen and why, and how much of
the network that is. `search/inspect_words.py` says the same for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from torch import Tensor

from hwmodels.base import CostModel
from hwmodels.device import Device
from hwmodels.workload import Op, Workload
from methods.graph.coupling.groups import ChannelGroup, Coupling, owner_of
from methods.graph.coupling.verify import checked, trusted
from methods.graph.file import packed_bytes
from methods.graph.ir import Graph
from methods.graph.lower import lower
from methods.graph.surgery.blocks import Block, blocks
from search.coverage import KINDS, Coverage

Document = dict[str, Any]

LEAF = re.compile(r"[._](weight|bias|running_mean|running_var)(_[ih]h_l\d+(_reverse)?)?$")


def describe(graph: Graph, device: Device | None = None, model: CostModel | None = None) -> Document:
    """Everything about a graph as JSON.

    Keys: `inputs`, `outputs`, `parameters`, `macs` (of one sample, or of the device's batch), `file_bytes`; `groups` of
    units that can be removed, with the layers that make, read and merely carry them and the error of the numeric check;
    `blocks` that can be left out; `weights` that can take another form; `frozen` units with the reason; `coverage`, in
    shares of MACs and parameters; `operators`; `device`, where one is given, with costs and each method's choices.
    `model` is the device's cost model, opened; by default with a table that is empty and not kept.
    """
    coupling = trusted(graph)
    workload = lower(graph, device.batch if device else 1, dims=True)
    found = blocks(graph)
    document: Document = {
        "inputs": [{"name": s.name, "shape": ["N", *s.shape], "dtype": s.dtype} for s in graph.inputs],
        "outputs": list(graph.output_names),
        "parameters": graph.parameter_count,
        "macs": workload.macs,
        "file_bytes": packed_bytes(graph),
        "coverage": Coverage(graph, workload, coupling.groups, found).document(),
        "groups": _groups(graph, coupling),
        "blocks": [_block(graph, block, workload) for block in found.values()],
        "frozen": [{"site": f.site, "units": f.units, "reason": f.reason} for f in coupling.frozen],
        "weights": _weights(workload),
        "operators": [_operator(op) for op in workload.ops],
    }
    return document | ({"device": _on_device(graph, device, workload, model)} if device else {})


def layer_of(parameter: str) -> str:
    """The layer that a parameter belongs to: `bn1` for `bn1.running_mean`; one that is no layer's is its own."""
    return LEAF.sub("", parameter)


def _groups(graph: Graph, coupling: Coupling) -> list[Document]:
    """What can be cut, unit by unit: of what kind, in which layers, and how well removing it agreed with masking it."""
    errors = checked(graph)
    return [
        {
            "site": site,
            "kind": KINDS.get(site.partition(":")[0], "units"),
            "units": len(group),
            "parameters": _parameters_in(graph, group),
            **_layers(group),
            "relative_error": errors[site],
        }
        for site, group in coupling.groups.items()
    ]


def _layers(group: ChannelGroup) -> Document:
    """The layers that make a group's units, those that read them, and what goes along (norms, tables of positions)."""
    made, read = (_named(owner_of(p.parameter) for p in group.places if p.role == role) for role in ("out", "in"))
    along = _named(layer_of(p.parameter) for p in group.places if p.role == "along")
    return {"made_by": made, "read_by": read, "along": [name for name in along if name not in (*made, *read)]}


def _named(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _parameters_in(graph: Graph, group: ChannelGroup) -> int:
    """How many of the parameters lie in entries of a group's units; one that two groups share counts for both."""
    counts = dict(graph.module.named_parameters())
    stay: dict[str, dict[int, int]] = {}
    for place in group.places:
        if place.parameter in counts:
            sizes = stay.setdefault(place.parameter, {})
            left = sizes.get(place.dim, counts[place.parameter].shape[place.dim])
            sizes[place.dim] = max(0, left - place.index.unique().numel())
    return sum(counts[name].numel() - _numbers_left(counts[name], sizes) for name, sizes in stay.items())


def _numbers_left(value: Tensor, sizes: Mapping[int, int]) -> int:
    return prod(sizes.get(dim, size) for dim, size in enumerate(value.shape))


def _block(graph: Graph, block: Block, workload: Workload) -> Document:
    return {
        "site": block.site,
        "layers": _named(layer_of(name) for name in block.parameters),
        "parameters": sum(graph.tensor(name).numel() for name in block.parameters),
        "macs": sum(op.macs for op in workload.ops if block.site in op.blocks),
    }


def _weights(workload: Workload) -> list[Document]:
    """The weights that can be factorised, shared or quantised, each once."""
    words = {"conv": "convolution", "linear": "linear layer"}
    ops = {op.site: op for op in workload.ops if op.site}
    return [
        {"site": site, "kind": words.get(op.kind, op.kind), "shape": list(op.weights[0].shape)}
        for site, op in ops.items()
    ]


def _operator(op: Op) -> Document:
    return {
        "name": op.name,
        "kind": op.kind,
        "site": op.site,
        "output": list(op.outputs[0].shape) if op.outputs else [],
        "macs": op.macs,
        "weight_bytes": op.weight_bytes,
    }


def _on_device(graph: Graph, device: Device, workload: Workload, model: CostModel | None) -> Document:
    """Costs on a device, per operator and in total, and what each method may choose there."""
    from methods.catalogue import METHODS  # not needed without a device
    from methods.graph.program import program_for
    from search.devices import open_hardware

    model = model or open_hardware(device).cost_model
    program = program_for(graph, device) if device.profiler else None
    cost = model.estimate(replace(workload, program=program), device)
    spaces = {name: method.space(graph, device).sites for name, method in METHODS.items()}
    return {
        "id": device.id,
        "costs": cost.to_json(),
        "operators": [
            {"name": c.name, "kind": c.kind, "latency_s": c.latency_s, "energy_j": c.energy_j, "source": str(c.source)}
            for c in cost.per_op
        ],
        "spaces": {name: {site: list(values) for site, values in sites.items()} for name, sites in spaces.items()},
    }
