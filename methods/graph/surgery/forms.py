"""Other forms for a weight, inside the graph: look-ups, masks, factors, rounding. Training and export see them as is.

In this order, as `weight_chain.py` reads them: a mask is put on a look-up, rounding on both.

Every function changes the graph that it is given; callers clone first and call `remove_unused` at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.nodes import argument
from methods.graph.ops import TARGETS, kind_of
from methods.graph.surgery.edit import BadEdit
from methods.graph.weight_chain import LOOK_UPS, WeightChain, chain_of


def is_plain(use: WeightUse) -> bool:
    """Whether the layer reads its weight straight from a parameter that no other layer reads."""
    return use.node.args[1] is use.source and len(use.source.users) == 1


def form_of(use: WeightUse) -> WeightChain:
    """The form of a layer's weight. Raises BadEdit where it is none that methods know."""
    chain = chain_of(use.node.args[1])
    if chain is None:
        raise BadEdit(f"the weight at {use.site} is computed in a way that no method knows; leave it as it is")
    return chain


def is_full(use: WeightUse) -> bool:
    """Whether the weight is a parameter of its own at full size, masked or not."""
    chain = chain_of(use.node.args[1])
    known = chain is not None and not (chain.indices or chain.factors or chain.signs or chain.snap or chain.rounding)
    return known and len(use.source.users) == 1


def mask_of(graph: Graph, use: WeightUse) -> Tensor | None:
    """The mask on a layer's weight, bool of its shape; None where there is none."""
    chain = chain_of(use.node.args[1])
    return graph.tensor(chain.mask) if chain is not None and chain.mask else None


def groups_of(use: WeightUse) -> int:
    """The groups of a convolution; 1 for a linear layer."""
    return 1 if kind_of(use.node.target) == "linear" else int(argument(use.node, "groups"))


def share_weight(graph: Graph, use: WeightUse, codebook: Tensor, indices: Tensor) -> None:
    """The weight becomes `codebook[indices]`: a parameter `[k]`, and indices of the weight's shape that stay fixed; or
    `[k, d]`, and an index for every d weights in a row. A mask stays in front of it."""
    look_up(graph, use, "codebook", codebook, indices)


def look_up(
    graph: Graph, use: WeightUse, kind: str, values: Tensor, indices: Tensor, signs: Tensor | None = None
) -> None:
    """The weight becomes `values[indices]`, times `signs` where there are any.

    `kind` is one of `LOOK_UPS`; `values` `[k]` are trained, `indices` of the weight's shape and `signs` (1 and -1, of
    that shape) stay fixed.
    """
    shape, stem = list(graph.tensor(use.weight).shape), use.weight
    _drop(graph, stem)
    book = _new_weight(graph, f"{stem}.{kind}", values, use, before=use.source)
    if stem in graph.patterns:
        graph.patterns[f"{stem}.{kind}"] = graph.patterns.pop(stem)
    graph.set_tensor(stem + ".indices", indices.reshape(-1).to(torch.int32), trainable=False)
    with graph.module.graph.inserting_before(use.source):
        index = graph.module.graph.get_attr(stem + ".indices")
        flat = graph.module.graph.call_function(TARGETS["aten.index_select.default"], (book, 0, index))
        weight = graph.module.graph.call_function(TARGETS["aten.view.default"], (flat, shape))
    if signs is not None:
        weight = _times(graph, weight, f"{stem}_signs", signs.to(torch.int8))
    use.source.replace_all_uses_with(weight)
    _erase(use.source)


def mask_weight(graph: Graph, use: WeightUse, mask: Tensor, pattern: str = "") -> None:
    """Keeps the entries of the weight where `mask` (bool, of its shape) is true and holds the others at zero.

    `pattern` says by which rule ("2:4", "block:4x1"), empty for none. On a mask that is there already only what both
    keep stays; factors and rounding stay behind it.
    """
    known = mask_of(graph, use)
    if known is not None:
        graph.set_tensor(form_of(use).mask, known & mask, trainable=False)
    else:
        weight = _innermost(use)
        readers = list(weight.users)
        made = _times(graph, weight, beside(use, "mask"), mask.bool())
        for reader in readers:
            reader.replace_input_with(weight, made)
    graph.patterns[use.weight] = pattern


def scale_weight(graph: Graph, use: WeightUse, factors: Tensor) -> None:
    """Multiplies the layer's weight, wherever it comes from, by `factors` `[out, 1, ...]`, kept beside it."""
    operand = use.node.args[1]
    assert isinstance(operand, fx.Node)
    use.node.update_arg(1, _times(graph, operand, beside(use, "factors"), factors))


def scale_inside(graph: Graph, use: WeightUse, factors: Tensor) -> None:
    """The same, in front of whatever rounds the weight to even steps; together with factors that are there already."""
    chain = form_of(use)
    if chain.factors:
        graph.set_tensor(chain.factors, graph.tensor(chain.factors) * factors, trainable=False)
        return
    assert chain.values is not None
    readers = list(chain.values.users)
    made = _times(graph, chain.values, beside(use, "factors"), factors)
    for reader in readers:
        reader.replace_input_with(chain.values, made)


def set_bias(graph: Graph, use: WeightUse, value: Tensor) -> None:
    """Gives a layer a bias `[out]`, or another one."""
    bias, name = argument(use.node, "bias"), beside(use, "bias").replace(".weight_bias", ".bias")
    if isinstance(bias, fx.Node) and bias.op == "get_attr" and len(bias.users) == 1:
        graph.set_tensor(str(bias.target), value, trainable=True)
        return
    graph.set_tensor(name, value, trainable=True)
    with graph.module.graph.inserting_before(use.node):
        made = graph.module.graph.get_attr(name)
    use.node.args = (*use.node.args[:2], made, *use.node.args[3:])


def _times(graph: Graph, value: fx.Node, name: str, factors: Tensor) -> fx.Node:
    """`value` times a tensor that stays fixed, right behind it."""
    graph.set_tensor(name, factors, trainable=False)
    with graph.module.graph.inserting_after(value):
        factor = graph.module.graph.get_attr(name)
    with graph.module.graph.inserting_after(factor):
        return graph.module.graph.call_function(TARGETS["aten.mul.Tensor"], (value, factor))


def _innermost(use: WeightUse) -> fx.Node:
    """The node of the full weight before anything is multiplied or rounded: the parameter, or its look-up's view."""
    value: fx.Node = use.source
    if kind_of(next(iter(value.users)).target) == "lookup":
        value = next(iter(next(iter(value.users)).users))
    return value


def beside(use: WeightUse, what: str) -> str:
    """A name beside the weight's: `fc1.weight_scale` for `fc1.weight` and `fc1.weight.codebook`."""
    stem, _, leaf = use.weight.rpartition(".")
    return f"{stem if leaf in LOOK_UPS else use.weight}_{what}"


def _new_weight(graph: Graph, name: str, value: Tensor, use: WeightUse, before: fx.Node | None = None) -> fx.Node:
    """Stores a parameter that stands for `use`'s weight, at its site, and adds the node that reads it."""
    if name in dict(graph.module.named_parameters()):
        raise BadEdit(f"{use.site} can't take another form: the network has a parameter {name} of its own")
    _drop(graph, use.weight)
    graph.set_tensor(name, value, trainable=True)
    graph.sites[name] = use.site
    with graph.module.graph.inserting_before(before or use.node):
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
