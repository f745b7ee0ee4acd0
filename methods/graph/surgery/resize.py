"""After units have been removed: the sizes that stand as plain numbers in a graph are adapted to what is left."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import fx

from methods.graph.coupling.groups import Coupling, Gone
from methods.graph.ir import Graph, GraphError
from methods.graph.nodes import argument, name_of, set_argument
from methods.graph.ops import TARGETS, kind_of


def resize(graph: Graph, coupling: Coupling, gone: Gone) -> None:
    """Changes `graph`, a copy of the coupled one whose parameters have been cut already."""
    for node in graph.nodes:
        if node.op != "call_function" or not any(coupling.touches(n.name, gone) for n in (node, *node.all_input_nodes)):
            continue
        _check_left(node, coupling, gone)
        if node.name in coupling.shuffles:
            _pick(graph, node, coupling, gone)
        elif (rule := RULES.get(name_of(node)) or RULES.get(kind_of(node.target))) is not None:
            rule(node, coupling, gone)
    graph.module.graph.eliminate_dead_code()


def _check_left(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    for output, axes in enumerate(coupling.axes[node.name]):
        if any(coupling.left(node.name, axis, gone, output) == 0 for axis in axes):
            raise GraphError(f"nothing would be left of the value of {node.name}")


def _source(node: fx.Node) -> str:
    source: Any = node.args[0]
    return str(source.name)


def _sizes(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    """view, reshape, expand, zeros, ...: numbers in a list of sizes; one that is computed becomes "the rest"."""
    name = next(n for n in ("size", "shape", "sizes") if _has(node, n))
    sizes, shape = list(argument(node, name)), coupling.shapes[node.name][0]
    for axis in coupling.axes[node.name][0]:
        left = coupling.left(node.name, axis, gone)
        if left == shape[axis]:
            continue
        if isinstance(sizes[axis], fx.Node):
            _free_axis(node, sizes, axis, shape)
        elif sizes[axis] != -1:
            sizes[axis] = left
    set_argument(node, name, sizes)


def _has(node: fx.Node, name: str) -> bool:
    return any(a.name == name for a in node.target._schema.arguments)  # type: ignore[union-attr]


def _free_axis(node: fx.Node, sizes: list[Any], axis: int, shape: tuple[int, ...]) -> None:
    """A size that was computed, such as batch times heads, is left to the rest of the elements."""
    if kind_of(node.target) == "create" or name_of(node) == "expand":
        raise GraphError(f"{node.name} computes the size of an axis that gets shorter")
    for other, size in enumerate(sizes):
        if size == -1:
            sizes[other] = shape[other]
    sizes[axis] = -1


def _unflatten(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    sizes, first = list(argument(node, "sizes")), int(argument(node, "dim")) % len(coupling.shapes[_source(node)][0])
    for place, size in enumerate(sizes):
        if isinstance(size, int) and size != -1:
            sizes[place] = coupling.left(node.name, first + place, gone)
    set_argument(node, "sizes", sizes)


def _split(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    axis = int(argument(node, "dim")) % len(coupling.shapes[_source(node)][0])
    if axis not in coupling.axes[_source(node)][0]:
        return
    sizes = [coupling.left(node.name, axis, gone, i) for i in range(len(coupling.axes[node.name]))]
    if 0 in sizes:
        raise GraphError(f"nothing would be left of one part of {node.name}")
    node.target = TARGETS["aten.split_with_sizes.default"]
    node.args, node.kwargs = (node.args[0], sizes, axis), {}


def _slice(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    axis = int(argument(node, "dim")) % len(coupling.shapes[_source(node)][0])
    stay = coupling.stay(_source(node), axis, gone)
    if stay.all():
        return
    for name in ("start", "end"):
        bound = argument(node, name)
        if isinstance(bound, int) and abs(bound) <= len(stay):
            set_argument(node, name, int(stay[: bound + len(stay) if bound < 0 else bound].sum()))


def _narrow(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    axis = int(argument(node, "dim")) % len(coupling.shapes[_source(node)][0])
    stay = coupling.stay(_source(node), axis, gone)
    start = int(argument(node, "start")) % len(stay)
    set_argument(node, "length", coupling.left(node.name, axis, gone))
    set_argument(node, "start", int(stay[:start].sum()))


def _groups(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    """Convolutions and group normalisation: rows of channels that are left."""
    name = "num_groups" if name_of(node) == "group_norm" else "groups"
    groups, stay = int(argument(node, name)), coupling.stay(_source(node), 1, gone)
    if groups > 1:
        set_argument(node, name, int(stay.reshape(groups, -1).any(axis=1).sum()))


def _normalized(node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    sizes = list(argument(node, "normalized_shape"))
    rank = len(coupling.shapes[_source(node)][0])
    first = rank - len(sizes)
    set_argument(node, "normalized_shape", [coupling.left(_source(node), first + i, gone) for i in range(len(sizes))])


def _scale(node: fx.Node, coupling: Coupling, gone: Gone) -> None:  # noqa: ARG001
    """Attention divides by the root of its width: of the width that it was trained with."""
    if argument(node, "scale") is None:
        width = coupling.shapes[argument(node, "query").name][0][-1]
        node.kwargs = {**node.kwargs, "scale": float(width) ** -0.5}


def _pick(graph: Graph, node: fx.Node, coupling: Coupling, gone: Gone) -> None:
    """A permutation of an axis that isn't a full rectangle any more: its entries are picked one by one instead."""
    source, axis = coupling.shuffles[node.name]
    before, after = coupling.axes[source][0].get(axis), coupling.axes[node.name][0].get(axis)
    if before is None or after is None or not coupling.touches(node.name, gone):
        return
    here = {node.name: node for node in graph.nodes}
    stay, order = coupling.stay(source, axis, gone), _order(before, after)
    number = np.cumsum(stay) - 1
    index = torch.tensor([number[i] for i in order if stay[i]], dtype=torch.int64)
    name = f"{node.name}_order"
    graph.set_tensor(name, index, trainable=False)
    with graph.module.graph.inserting_before(node):
        order_node = graph.module.graph.get_attr(name)
    node.target = TARGETS["aten.index_select.default"]
    node.args, node.kwargs = (here[source], axis, order_node), {}


def _order(before: torch.Tensor, after: torch.Tensor) -> list[int]:
    """For each entry after a permutation: where it stood before."""
    place = {tuple(sorted(row)): i for i, row in enumerate(before.tolist())}
    return [place[tuple(sorted(row))] for row in after.tolist()]


RULES = {
    **dict.fromkeys(
        ("view", "reshape", "expand", "zeros", "ones", "full", "new_zeros", "new_ones", "new_full"), _sizes
    ),
    "unflatten": _unflatten,
    **dict.fromkeys(("split", "split_with_sizes", "chunk"), _split),
    "slice": _slice,
    "narrow": _narrow,
    **dict.fromkeys(("conv", "conv_transpose", "group_norm"), _groups),
    **dict.fromkeys(("layer_norm", "rms_norm"), _normalized),
    "attention": _scale,
}
"""Name or kind of an operator -> how its numbers follow."""
