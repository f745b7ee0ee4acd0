"""Blocks: parts that can be left out whole, because a sum hands on what went into them.

A block is a sum `x + f(x)` that may become `x`. Any sum may lose a term; these conditions make it a *block*:

- every other term is computed from x: towers that only meet in a sum are no blocks, a shortcut that computes isn't one;
- on the way from x to the sum, nothing is read from outside. Layers that something else still needs can't go, and sums
  inside other machinery (a mask that is added to attention scores) don't pass for blocks;
- x has the shape and type of the sum, so that whatever reads the sum can read x; f may be spread over it;
- f reads a parameter. A network keeps at least one: one that is nothing but blocks keeps the last.

Side inputs are free: a mask, the memory of an encoder or a second image may enter f, because they stay where they are.
On its way to the sum x may be moved about, padded or pooled, but not computed with. What reads only its shape doesn't
count. Everything that only f needs goes with it: layer scale, stochastic depth, dropout, squeeze-excite, constants.
Sums of more than two terms, as in layers that compute attention and MLP side by side, are one block where they share
values.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import fx

from methods.graph.ir import Graph
from methods.graph.ops import TARGETS
from methods.graph.surgery.block_names import key, site_names
from methods.graph.surgery.block_search import Found, find_blocks
from methods.graph.surgery.edit import BadEdit


@dataclass(frozen=True)
class Block:
    """A part that can be left out.

    Attributes:
        site: `block:layer1.0`: the module that holds just its layers, or else the first of them.
        add: the sum's node, which goes; `kept`: the node that its readers read instead.
        nodes: what is computed for the sum alone, in execution order, nodes of parameters included, without `add`.
        parameters: names of the parameters that nothing else reads.
    """

    site: str
    add: str
    kept: str
    nodes: tuple[str, ...]
    parameters: tuple[str, ...]


def blocks(graph: Graph) -> dict[str, Block]:
    """Site -> block, in execution order of the sums; they may lie within each other.

    Sites keep their names when other blocks are removed and when other methods rewrite what is inside them.
    """
    found = _leave_something(graph, find_blocks(graph))
    sites = site_names(graph, found)
    return {
        site: Block(site, f.add.name, f.kept.name, tuple(n.name for n in f.nodes), f.parameters)
        for site, f in zip(sites, found, strict=True)
    }


def _leave_something(graph: Graph, found: list[Found]) -> list[Found]:
    """Those blocks that can all go together with some parameter left to train."""
    trainable = {name for name, _ in graph.module.named_parameters()}
    parameters = [n for n in graph.nodes if n.op == "get_attr" and n.target in trainable]
    gone: set[fx.Node] = set()
    offered = []
    for block in found:
        without = gone.union(block.nodes, [block.add])
        if any(reader not in without for node in parameters for reader in node.users):
            gone = without
            offered.append(block)
    return offered


def remove_blocks(graph: Graph, sites: Collection[str]) -> Graph:
    """A new graph without these blocks; the tensors that only they read are gone too.

    Raises BadEdit for a site that isn't there.
    """
    known = blocks(graph)
    for site in sites:
        if site not in known:
            raise BadEdit(f"the model has no block {site!r}; it has {', '.join(known) or 'none'}")
    result = graph.clone()
    now = {node.name: node for node in result.nodes}
    for block in (b for site, b in known.items() if site in sites):
        add = now[block.add]
        kept = _stand_in(add, now[block.kept])
        add.replace_all_uses_with(kept)
        _erase([*(n for n in result.nodes if n.name in set(block.nodes)), add])
        now[block.add] = kept
    _forget(result, {key(b.add): b.site for b in known.values() if b.site not in sites})
    result.remove_unused()
    return result


def _stand_in(add: fx.Node, kept: fx.Node) -> fx.Node:
    """What the sum's readers read: a copy where an output would become the network's input, or another output."""
    outputs = next(reversed(add.graph.nodes)).all_input_nodes
    if add not in outputs or (kept.op != "placeholder" and kept not in outputs):
        return kept
    with add.graph.inserting_before(add):
        return add.graph.call_function(TARGETS["aten.clone.default"], (kept,))


def _erase(nodes: list[fx.Node]) -> None:
    """Removes nodes that nobody reads, last first: dead-code elimination keeps random ones, such as dropout."""
    for node in reversed(nodes):
        if not node.users:
            node.graph.erase_node(node)


def _forget(graph: Graph, names: dict[str, str]) -> None:
    """Drops what is remembered of nodes and tensors that are gone, and remembers the names of the blocks left."""
    nodes = {node.name for node in graph.nodes}
    read = {str(node.target) for node in graph.nodes if node.op == "get_attr"}
    graph.sites = {name: site for name, site in graph.sites.items() if name in read} | names
    graph.rates = {name: rate for name, rate in graph.rates.items() if name in nodes}
