"""normalise: a graph of any ATen operators becomes one of listed operators only; shared by capture and the .pt2 reader.

In turn: other spellings, in-place operators, our own rewrites, torch's decomposition of exactly the operators that are
left, until nothing is left or an operator is refused by name.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.intake import rewrites_layers, rewrites_values
from methods.graph.intake.fakes import Fakes
from methods.graph.intake.functional import without_writes
from methods.graph.intake.rewriting import Site
from methods.graph.intake.spellings import COPIED, DROPPED, SPELLINGS, is_in_place
from methods.graph.ir import GraphError, InputSpec
from methods.graph.ops import NAMES, TARGETS

RULES = rewrites_layers.RULES | rewrites_values.RULES
ROUNDS = 8
"""Decompositions inside decompositions that are followed."""

aten = torch.ops.aten
NO_MEANING = ("device", "pin_memory", "layout", "memory_format", "generator", "non_blocking")
"""Keyword arguments about memory, which a graph leaves to whoever runs it."""


def normalise(graph: fx.Graph, tensors: dict[str, Tensor], inputs: tuple[InputSpec, ...]) -> fx.Graph:
    """The same computation in listed operators, without in-place writes, checks and copies between devices.

    Args:
        graph: placeholders, `get_attr` of the names in `tensors`, calls, and an output with a tuple of nodes.
        inputs: what the placeholders take, in order.

    Raises:
        GraphError: an operator that is not listed, can't be decomposed, or writes where that can't be undone.
    """
    _drop_checks(graph)
    for _ in range(ROUNDS):
        _respell(graph, SPELLINGS)
        if all(_settled(n) for n in graph.nodes):
            break
        graph = without_writes(graph, Fakes(graph, tensors, inputs))
        _respell(graph, COPIED)
        _replace_all(graph, Fakes(graph, tensors, inputs))
        _sweep(graph)
    _remove_aliases(graph)
    _sweep(graph)
    for node in graph.nodes:
        if node.op == "call_function" and node.target not in NAMES:
            raise _refusal(node)
    return graph


def _settled(node: fx.Node) -> bool:
    if node.op != "call_function" or node.target is operator.getitem:
        return True
    rewritten = str(node.target).removeprefix("aten.") in RULES and not node.meta.get("kept")
    return node.target in NAMES and not rewritten


def _drop_checks(graph: fx.Graph) -> None:
    """Removes assertions, the step counters of batch normalisation, and what only they read."""
    for node in reversed(list(graph.nodes)):
        counter = node.op == "call_function" and is_in_place(node.target) and _is_counter(node.args[0])
        if (str(node.target) in DROPPED or counter) and not node.users:
            graph.erase_node(node)
    _sweep(graph)


def _is_counter(value: Any) -> bool:
    """Whether a value is such a counter, counted up already or not (modules used twice)."""
    while isinstance(value, fx.Node) and value.op == "call_function" and is_in_place(value.target):
        value = value.args[0]
    return isinstance(value, fx.Node) and value.op == "get_attr" and str(value.target).endswith("num_batches_tracked")


def _sweep(graph: fx.Graph) -> None:
    """Removes what nobody reads, but for inputs and in-place writes."""
    for node in reversed(list(graph.nodes)):
        keeps = node.op in ("placeholder", "output") or (node.op == "call_function" and is_in_place(node.target))
        if not node.users and not keeps:
            graph.erase_node(node)


def _respell(graph: fx.Graph, spellings: dict[Any, Any]) -> None:
    """Other names of listed operators, and keyword arguments without meaning here."""
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        node.target = spellings.get(node.target, node.target)
        if any(name in node.kwargs for name in NO_MEANING):
            node.kwargs = {k: v for k, v in node.kwargs.items() if k not in NO_MEANING}


def _replace_all(graph: fx.Graph, fakes: Fakes) -> None:
    for node in list(graph.nodes):
        if not _settled(node) and (node.users or is_in_place(node.target)):
            _replace(node, fakes)


def _replace(node: fx.Node, fakes: Fakes) -> None:
    if node.target is aten.size.default:
        return _hand_over(node, _sizes(node, fakes))
    rule = RULES.get(str(node.target).removeprefix("aten."))
    made = rule(Site(node, fakes)) if rule is not None else None
    if made is not None:
        _put(node, made)
    elif node.target in NAMES:
        node.meta["kept"] = True
    else:
        _expand(node, fakes)


def _sizes(node: fx.Node, fakes: Fakes) -> list[fx.Node]:
    rank = len(fakes.of(node.args[0]).shape)  # type: ignore[arg-type]
    with node.graph.inserting_before(node):
        return [node.graph.call_function(aten.sym_size.int, (node.args[0], axis)) for axis in range(rank)]


def _put(node: fx.Node, made: fx.Node) -> None:
    """Lets the readers of `node` read `made`, also where they picked the first of its several outputs."""
    picks = [u for u in node.users if u.target is operator.getitem]
    for reader in picks or [node]:
        reader.replace_all_uses_with(made)


def _expand(node: fx.Node, fakes: Fakes) -> None:
    try:
        pieces = fakes.pieces(node)
    except GraphError as error:
        raise _refusal(node, str(error)) from error
    calls = [n.target for n in pieces.nodes if n.op == "call_function"]
    if node.target in calls:
        raise _refusal(node)
    new: dict[fx.Node, Any] = {}
    inputs = iter(node.all_input_nodes)
    for piece in pieces.nodes:
        if piece.op == "placeholder":
            new[piece] = next(inputs)
        elif piece.op == "output":
            _hand_over(node, fx.map_arg(piece.args[0], lambda n: new[n]))
        elif piece.op == "get_attr":
            raise _refusal(node, "its decomposition holds constants")
        else:
            with node.graph.inserting_before(node):
                new[piece] = node.graph.node_copy(piece, lambda n: new[n])


def _hand_over(node: fx.Node, value: Any) -> None:
    """Gives the readers of a node its replacement: one value, or a list that they pick from."""
    if isinstance(value, fx.Node):
        node.replace_all_uses_with(value)
        return
    for user in list(node.users):
        if user.target is not operator.getitem:
            raise _refusal(node, "its outputs are read as a list")
        user.replace_all_uses_with(value[user.args[1]])


def _remove_aliases(graph: fx.Graph) -> None:
    """Nothing is written in place any more, so a value and its alias are one."""
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target is aten.alias.default:
            node.replace_all_uses_with(node.args[0])


def _refusal(node: fx.Node, why: str = "") -> GraphError:
    reason = f": {why}" if why else ""
    return GraphError(
        f"operator {node.target} (node {node.name}) is not supported{reason}. {len(TARGETS)} operators are; "
        "express it with those (see docs/architecture.md), or capture the part of the model without it"
    )
