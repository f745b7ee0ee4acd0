"""Which axes of an operator's tensors follow which pruning sites: a coupling, as plans need it."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from torch import fx

from hwmodels.workload import Dim, Op, TensorSpec
from methods.graph.coupling.groups import Coupling
from methods.graph.ir import Graph, weight_source
from methods.graph.ops import kind_of

LAYERS = ("conv", "conv_transpose", "linear")


class AxisSites:
    """Turns a coupling into the `dims` of operators."""

    def __init__(self, graph: Graph, coupling: Coupling) -> None:
        self.coupling = coupling
        self.sites = list(coupling.groups)
        self.site_of = np.full(coupling.units, -1)
        for number, group in enumerate(coupling.groups.values()):
            self.site_of[list(group.roots)] = number
        self.parameter = {str(n.target): n.name for n in graph.nodes if n.op == "get_attr"}

    def dims(self, node: fx.Node, reads: list[fx.Node], op: Op, parameters: list[str]) -> tuple[Dim, ...]:
        values = [(a.name, 0) for a in reads] + [(node.name, i) for i in range(len(op.outputs))]
        values += [(self.parameter[name], 0) for name in (_weight_names(node) or parameters)[: len(op.weights)]]
        tensors = zip(values, op.inputs + op.outputs + op.weights, strict=False)
        return tuple(d for i, ((name, output), spec) in enumerate(tensors) for d in self._along(i, spec, name, output))

    def _along(self, tensor: int, spec: TensorSpec, name: str, output: int) -> list[Dim]:
        outputs = self.coupling.axes.get(name) or []
        axes = outputs[output] if output < len(outputs) else {}
        return [d for axis, units in axes.items() for d in self._axis(tensor, axis, spec.shape[axis], units.numpy())]

    def _axis(self, tensor: int, axis: int, size: int, units: Any) -> list[Dim]:
        """Entries that follow the same sites are one segment; an axis that holds the batch too is `size` long here."""
        rows, counts = np.unique(np.sort(self.site_of[units], axis=1), axis=0, return_counts=True)
        dims = []
        for row, count in zip(rows.tolist(), counts.tolist(), strict=True):
            sites = [(self.sites[s], self._units(self.sites[s])) for s in dict.fromkeys(row) if s >= 0]
            if sites:
                each = count * size // (len(units) * prod(found for _, found in sites))
                dims.append(Dim(tensor, axis, sites[0][0], max(1, each), sites[0][1], tuple(sites[1:])))
        return dims

    def _units(self, site: str) -> int:
        return len(self.coupling.groups[site])


def _weight_names(node: fx.Node) -> list[str]:
    """Weight and bias of a layer, in the order of the operator's weights."""
    if kind_of(node.target) not in LAYERS:
        return []
    sources = [weight_source(a) for a in node.args[1:3]]
    return [str(s.target) for s in sources if s is not None]
