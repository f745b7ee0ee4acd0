"""Other forms for a weight, inside the graph: two factors, a codebook, 8-bit codes. Training and export see them as is.

Every function changes the graph that it is given; callers clone first and call `remove_unused` at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument
from methods.graph.ops import TARGETS, kind_of
from methods.graph.surgery.edit import BadEdit

CODEBOOK = ".codebook"


def is_plain(use: WeightUse) -> bool:
    """Whether the layer reads its weight straight from a parameter that no other layer reads."""
    return use.node.args[1] is use.source and len(use.source.users) == 1 and not use.weight.endswith(CODEBOOK)


def groups_of(use: WeightUse) -> int:
    """The groups of a convolution; 1 for a linear layer."""
    return 1 if kind_of(use.node.target) == "linear" else int(argument(use.node, "groups"))


def split_layer(graph: Graph, use: WeightUse, v: Tensor, u: Tensor) -> None:
    """One layer becomes two: first `v` `[rank, in, ...]` with the layer's own geometry, then `u` `[out, rank, ...]`
    with the bias. `fc1.weight` becomes `fc1.v.weight` and `fc1.u.weight`, both at the site that `fc1` had.
    """
    node, stem = use.node, use.weight.removesuffix(".weight")
    bias = argument(node, "bias")
    first = _new_weight(graph, f"{stem}.v.weight", v, use)
    second = _new_weight(graph, f"{stem}.u.weight", u, use)
    if isinstance(bias, fx.Node):
        bias = _moved(graph, bias, f"{stem}.u.bias", node)
    kwargs = {k: a for k, a in node.kwargs.items() if k != "bias"}
    with graph.module.graph.inserting_before(node):
        made = graph.module.graph.create_node
        inner = made(
            "call_function", node.target, (node.args[0], first, None, *node.args[3:]), kwargs, f"{node.name}_v"
        )
        outer = made("call_function", node.target, (inner, second, bias), name=f"{node.name}_u")
    node.replace_all_uses_with(outer)
    _erase(node, *node.all_input_nodes)


def share_weight(graph: Graph, use: WeightUse, codebook: Tensor, indices: Tensor) -> None:
    """The weight becomes `codebook[indices]`: a parameter `[k]`, and indices of the weight's shape that stay fixed."""
    shape, stem = list(indices.shape), use.weight
    _drop(graph, stem)
    book = _new_weight(graph, stem + CODEBOOK, codebook, use)
    graph.set_tensor(stem + ".indices", indices.reshape(-1).to(torch.int32), trainable=False)
    with graph.module.graph.inserting_before(use.node):
        index = graph.module.graph.get_attr(stem + ".indices")
        flat = graph.module.graph.call_function(TARGETS["aten.index_select.default"], (book, 0, index))
        weight = graph.module.graph.call_function(TARGETS["aten.view.default"], (flat, shape))
    use.node.replace_input_with(use.source, weight)
    _erase(use.source)


def scale_weight(graph: Graph, use: WeightUse, factors: Tensor) -> None:
    """Multiplies the layer's weight, wherever it comes from, by `factors` `[out, 1, ...]`, kept beside it."""
    name = _beside(use, "factors")
    graph.set_tensor(name, factors, trainable=False)
    with graph.module.graph.inserting_before(use.node):
        scale = graph.module.graph.get_attr(name)
        product = graph.module.graph.call_function(TARGETS["aten.mul.Tensor"], (use.node.args[1], scale))
    use.node.update_arg(1, product)


def set_bias(graph: Graph, use: WeightUse, value: Tensor) -> None:
    """Gives a layer a bias `[out]`, or another one."""
    bias, name = argument(use.node, "bias"), _beside(use, "bias").replace(".weight_bias", ".bias")
    if isinstance(bias, fx.Node) and bias.op == "get_attr" and len(bias.users) == 1:
        graph.set_tensor(str(bias.target), value, trainable=True)
        return
    graph.set_tensor(name, value, trainable=True)
    with graph.module.graph.inserting_before(use.node):
        made = graph.module.graph.get_attr(name)
    use.node.args = (*use.node.args[:2], made, *use.node.args[3:])


def quantise_weight(graph: Graph, use: WeightUse, scale: Tensor, low: int, high: int) -> None:
    """Rounds the weight of one layer to symmetric per-channel codes: `scale` `[out]` stays fixed, gradients pass."""
    node, names = use.node, (_beside(use, "scale"), _beside(use, "zero_point"))
    graph.set_tensor(names[0], scale, trainable=False)
    graph.set_tensor(names[1], torch.zeros(len(scale), dtype=torch.int32), trainable=False)
    with graph.module.graph.inserting_before(node):
        settings = [graph.module.graph.get_attr(name) for name in names]
        target = TARGETS["aten.fake_quantize_per_channel_affine.default"]
        codes = graph.module.graph.call_function(target, (node.args[1], *settings, 0, low, high))
    node.update_arg(1, codes)


def quantise_value(graph: Graph, value: fx.Node, scale: float, zero_point: int, low: int, high: int) -> fx.Node:
    """Rounds an activation to codes for everybody who reads it; the network's own output stays exact."""
    readers = [n for n in value.users if n.op != "output"]
    order = {node: place for place, node in enumerate(graph.module.graph.nodes)}
    made = quantise_operand(graph, min(readers, key=order.__getitem__), value, (scale, zero_point, low, high))
    for reader in readers:
        reader.replace_input_with(value, made)
    return made


def quantise_operand(graph: Graph, reader: fx.Node, value: fx.Node, settings: tuple[float, int, int, int]) -> fx.Node:
    """Adds a quantiser of `value` (scale, zero point, lowest and highest code) in front of `reader`, unread so far."""
    target = TARGETS["aten.fake_quantize_per_tensor_affine.default"]
    with graph.module.graph.inserting_before(reader):
        return graph.module.graph.call_function(target, (value, *settings))


def _beside(use: WeightUse, what: str) -> str:
    """A name beside the weight's: `fc1.weight_scale` for `fc1.weight` and `fc1.weight.codebook`."""
    return f"{use.weight.removesuffix(CODEBOOK)}_{what}"


def _new_weight(graph: Graph, name: str, value: Tensor, use: WeightUse) -> fx.Node:
    """Stores a parameter that stands for `use`'s weight, at its site, and adds the node that reads it."""
    if name in dict(graph.module.named_parameters()):
        raise BadEdit(f"{use.site} can't take another form: the network has a parameter {name} of its own")
    _drop(graph, use.weight)
    graph.set_tensor(name, value, trainable=True)
    graph.sites[name] = use.site
    with graph.module.graph.inserting_before(use.node):
        return graph.module.graph.get_attr(name)


def _moved(graph: Graph, node: fx.Node, name: str, reader: fx.Node) -> fx.Node:
    """A parameter under another name, for `reader` alone; one that others read too stays where it is."""
    if len(node.users) > 1:
        return node
    value = graph.tensor(str(node.target))
    _drop(graph, str(node.target))
    graph.set_tensor(name, value, trainable=True)
    with graph.module.graph.inserting_before(reader):
        return graph.module.graph.get_attr(name)


def _erase(*nodes: fx.Node) -> None:
    """Removes those nodes that nobody reads, parameters among them: their tensors may be gone already."""
    for node in nodes:
        if not node.users and node.op != "placeholder":
            node.graph.erase_node(node)


def _drop(graph: Graph, name: str) -> None:
    """Makes room: a module may be about to take the parameter's place."""
    owner, _, leaf = name.rpartition(".")
    module = graph.module.get_submodule(owner)
    if leaf in module._parameters:
        delattr(module, leaf)
