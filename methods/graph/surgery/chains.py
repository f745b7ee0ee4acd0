"""One layer becomes a row of layers at the same site, in the graph: whatever the factorisation, training and export
see plain convolutions and linear layers.

`fc1.weight` becomes `fc1.v.weight`, ..., `fc1.u.weight`; the bias goes with the last. Callers clone the graph first
and call `remove_unused` at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument
from methods.graph.surgery.edit import BadEdit
from methods.graph.surgery.forms import groups_of
from methods.stages import LAST, Layout, Stage, spread


def layout_of(graph: Graph, use: WeightUse) -> Layout:
    """How a layer stands in the graph."""
    shape = tuple(graph.tensor(use.weight).shape)
    axes = len(shape) - 2
    if not axes:
        return Layout(shape)
    stride, padding, dilation = (spread(argument(use.node, n), axes) for n in ("stride", "padding", "dilation"))
    return Layout(shape, stride, padding, dilation, groups_of(use))


def split_layer(graph: Graph, use: WeightUse, stages: Sequence[Stage], weights: Sequence[Tensor]) -> None:
    """Puts a row of layers in the place of one, in order; each weight has the shape that its stage says.

    Raises BadEdit where a parameter of such a name is there already.
    """
    node, stem = use.node, use.weight.removesuffix(".weight")
    _check(graph, use, stages, weights)
    cut = graph.module.meta.get("kept", {}).pop((use.weight, 0), None)
    _drop(graph, use.weight)
    bias = _moved_bias(graph, use, f"{stem}.{LAST}.bias")
    value: Any = node.args[0]
    for stage, weight in zip(stages, weights, strict=True):
        name = f"{stem}.{stage.suffix}.weight"
        graph.set_tensor(name, weight, trainable=True)
        graph.sites[name] = use.site
        last = stage is stages[-1]
        with graph.module.graph.inserting_before(node):
            operand = graph.module.graph.get_attr(name)
            args = (value, operand, bias if last else None, *_moves(stage.layout))
            value = graph.module.graph.create_node(
                "call_function", node.target, args, name=f"{node.name}_{stage.suffix}"
            )
        if last and cut is not None:
            graph.module.meta["kept"][name, 0] = cut
    node.replace_all_uses_with(value)
    _erase(node, *node.all_input_nodes)


def is_piece(graph: Graph, name: str) -> bool:
    """Whether a parameter is the weight of one layer of a row."""
    stem = graph.sites.get(name, "").removeprefix("weight:")
    inner = name.removeprefix(f"{stem}.").removesuffix(".weight")
    return bool(stem) and "." not in inner and name == f"{stem}.{inner}.weight"


def is_last_piece(graph: Graph, name: str) -> bool:
    """Whether a parameter is the weight of the last layer of a row: what that writes is what the whole layer wrote."""
    return is_piece(graph, name) and name.endswith(f".{LAST}.weight")


def _check(graph: Graph, use: WeightUse, stages: Sequence[Stage], weights: Sequence[Tensor]) -> None:
    stem, taken = use.weight.removesuffix(".weight"), {*graph.module.state_dict()}
    for stage, weight in zip(stages, weights, strict=True):
        name = f"{stem}.{stage.suffix}.weight"
        if own := taken & {name, f"{stem}.{LAST}.bias"}:
            raise BadEdit(f"{use.site} can't take another form: the network has a parameter {min(own)} of its own")
        if tuple(weight.shape) != stage.layout.shape:
            raise BadEdit(f"{name} has the shape {tuple(weight.shape)}, not {stage.layout.shape} as planned")


def _moves(layout: Layout) -> tuple[Any, ...]:
    """A convolution's arguments behind its bias."""
    if not layout.kernel:
        return ()
    return list(layout.stride), list(layout.padding), list(layout.dilation), layout.groups


def _moved_bias(graph: Graph, use: WeightUse, name: str) -> fx.Node | None:
    """The bias under another name; one that others read too stays where it is."""
    bias = argument(use.node, "bias")
    if not isinstance(bias, fx.Node) or bias.op != "get_attr" or len(bias.users) > 1:
        return bias if isinstance(bias, fx.Node) else None
    value = graph.tensor(str(bias.target))
    _drop(graph, str(bias.target))
    graph.set_tensor(name, value, trainable=True)
    with graph.module.graph.inserting_before(use.node):
        return graph.module.graph.get_attr(name)


def _drop(graph: Graph, name: str) -> None:
    """Makes room: a module may be about to take the parameter's place."""
    owner, _, leaf = name.rpartition(".")
    module = graph.module.get_submodule(owner)
    if leaf in module._parameters:
        delattr(module, leaf)


def _erase(*nodes: fx.Node) -> None:
    """Removes those nodes that nobody reads, parameters among them: their tensors may be gone already."""
    for node in nodes:
        if not node.users and node.op != "placeholder":
            node.graph.erase_node(node)
