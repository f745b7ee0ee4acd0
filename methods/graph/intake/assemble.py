"""assemble: normalised nodes and the tensors that they read become a Graph."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from torch import Tensor, fx

from methods.graph.intake.values import with_values
from methods.graph.ir import Graph, InputSpec, empty_module


def assemble(
    graph: fx.Graph,
    tensors: Mapping[str, Tensor],
    trainable: Collection[str],
    inputs: tuple[InputSpec, ...],
    output_names: Collection[str],
) -> Graph:
    """A Graph in evaluation mode, with copies, on the CPU, of those of `tensors` that `graph` reads."""
    result = Graph(empty_module(), with_values(graph, inputs, dict(tensors)), tuple(output_names))
    used = {str(n.target) for n in graph.nodes if n.op == "get_attr"}
    for name, value in tensors.items():
        if name in used:
            result.set_tensor(name, value.detach().cpu(), name in trainable)
    for node in graph.nodes:
        node.meta = {}
    result.module.graph = graph
    result.remove_unused()
    result.set_training(False)
    return result


TAKEN = frozenset(dir(empty_module()))
"""Names that a graph's module keeps for itself."""


def plain_names(names: Collection[str]) -> dict[str, str]:
    """Each name of a tensor as dotted plain words, as files hold them; numbered where two would be equal."""
    made: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        plain = base = _free(re.sub(r"[^A-Za-z0-9_.]", "_", name))
        while plain in used:
            plain = f"{base}_{len(used)}"
        used.add(plain)
        made[name] = plain
    return made


def _free(name: str) -> str:
    """`code.weight` as `code_.weight`: a module called like something that fx's own modules have would hide it."""
    first, dot, rest = name.partition(".")
    return f"{first}_{dot}{rest}" if first in TAKEN else name


def renamed(inputs: tuple[InputSpec, ...], graph: fx.Graph) -> tuple[InputSpec, ...]:
    """The inputs under the names that their placeholders really have (Python keeps some for itself)."""
    names = [n.name for n in graph.nodes if n.op == "placeholder"]
    return tuple(replace(spec, name=name) for spec, name in zip(inputs, names, strict=True))
