"""Classifier classes: keeping only some entries of an output, such as the classes that a device will ever see.

What made the other entries goes: rows of the last layer, and whatever scales or shifts them. Nothing before that layer
changes, so what is left is the same numbers, or, behind a softmax, the same probabilities shared among those left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx

from methods.graph.ir import Graph
from methods.graph.ops import TARGETS
from methods.graph.surgery.edit import BadEdit, prune_output

TOLERANCE = 1e-4
"""Relative difference allowed between what is left and the same entries of the whole network."""

SHARED: dict[object, Callable[[Tensor], Tensor]] = {
    TARGETS["aten.softmax.int"]: lambda x: x / x.sum(-1, keepdim=True),
    TARGETS["aten.log_softmax.int"]: lambda x: x - x.logsumexp(-1, keepdim=True),
}
"""Operator at the end -> what its entries become when others are gone."""


def keep_outputs(graph: Graph, kept: Sequence[int], output: str = "output") -> Graph:
    """A new graph that gives only the entries `kept` of the last axis of an output, in rising order.

    Raises BadEdit for an output or an entry that isn't there, and where the entries can't be had without the others:
    where something else reads them or mixes them. The new graph has been held against the old one.
    """
    if output not in graph.output_names:
        raise BadEdit(f"the model has no output {output!r}; it has {', '.join(graph.output_names)}")
    if any(later <= earlier for earlier, later in pairwise(kept)):
        raise BadEdit(f"name the entries of {output!r} to keep once each and in rising order: they stay in that order")
    number = graph.output_names.index(output)
    bare, end = _without_softmax(graph, number)
    small = prune_output(bare, kept, number)
    if end is not None:
        _append(small, number, end)
    _compare(graph, small, kept, number, SHARED[end.target] if end is not None else lambda values: values)
    return small


def _without_softmax(graph: Graph, number: int) -> tuple[Graph, fx.Node | None]:
    """The graph up to a softmax over the entries at its end, and that softmax; the graph itself where there is none."""
    with torch.no_grad():
        axes = graph(*graph.example(2))[number].dim()
    result = graph.clone()
    end = _ends(result)[number]
    axis: Any = end.args[1] if end.target in SHARED else None
    if axis is None or axis % axes != axes - 1 or len(end.users) > 1:
        return graph, None
    _set_end(result, number, end.args[0])
    result.module.graph.erase_node(end)
    result.module.recompile()
    return result, end


def _append(graph: Graph, number: int, end: fx.Node) -> None:
    """Puts the softmax back."""
    with graph.module.graph.inserting_before(graph.nodes[-1]):
        args = (_ends(graph)[number], *end.args[1:])
        made = graph.module.graph.create_node("call_function", end.target, args, dict(end.kwargs), end.name)
    _set_end(graph, number, made)
    graph.module.recompile()


def _ends(graph: Graph) -> tuple[fx.Node, ...]:
    return tuple(graph.nodes[-1].args[0])  # type: ignore[arg-type]


def _set_end(graph: Graph, number: int, value: Any) -> None:
    ends = _ends(graph)
    graph.nodes[-1].args = ((*ends[:number], value, *ends[number + 1 :]),)


def _compare(graph: Graph, small: Graph, kept: Sequence[int], number: int, shared: Callable[[Tensor], Tensor]) -> None:
    """Holds what is left against the whole network's."""
    example = graph.example(3)
    with torch.no_grad():
        pairs = list(zip(graph(*example), small(*example), strict=True))
    for i, (before, after) in enumerate(pairs):
        wanted = shared(before[..., list(kept)]) if i == number else before
        if not _alike(after, wanted):
            what = "the entries that stay" if i == number else f"output {graph.output_names[i]!r}"
            raise BadEdit(
                f"entries of output {graph.output_names[number]!r} can't be removed: {what} would change with them, "
                "because something behind the layer that makes them mixes them, or reads them for something else"
            )


def _alike(after: Tensor, wanted: Tensor) -> bool:
    if after.shape != wanted.shape:
        return False
    scale = float(wanted.abs().max()) if wanted.numel() else 0.0
    return torch.allclose(after, wanted, rtol=TOLERANCE, atol=TOLERANCE * scale)
