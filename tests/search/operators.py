"""Operators of larger networks, with their dims by hand: an encoder of attention layers, and concatenated channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwmodels.catalogue import DEVICES
from hwmodels.roofline import Roofline
from hwmodels.workload import Dim, Op, TensorSpec
from methods.base import EVERYTHING, Data, Method, Space, Value
from methods.channel_pruning import SHARES, ChannelPruning
from methods.graph.ir import Graph
from methods.low_rank import LowRank
from methods.quantization import Quantization
from methods.weight_sharing import WeightSharing
from search.guide import Asked, stored_bytes
from search.problem import Point, Variable

FIGURES = ("latency_s", "file_bytes", "macs")
DEVICE = DEVICES["cortex-m7-analytical"]
Axis = tuple[str, int, tuple[tuple[str, int], ...]]
"""A site, its units, and the sites whose units multiply with them."""


@dataclass(frozen=True)
class Removal:
    """Takes whole blocks out of a plan."""

    name: str = "block-removal"
    stage: ClassVar[str] = "shape"
    runs: ClassVar[bool] = True
    helps: ClassVar[frozenset[str]] = EVERYTHING

    def space(self, graph: Graph, device: object) -> Space:
        return Space({})

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        return graph

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        return () if any(choices.get(block) == "gone" for block in op.blocks) else (op,)


METHODS: dict[str, Method] = {
    m.name: m for m in (ChannelPruning(), LowRank(), Removal(), WeightSharing(), Quantization())
}


def asked() -> Asked:
    """All methods, and the figures as a roofline has them."""
    return Asked(METHODS, DEVICE, FIGURES, costs)


def costs(ops: Sequence[Op], figures: Sequence[str]) -> Mapping[str, float]:
    found = [Roofline().op_cost(op, DEVICE) for op in ops]
    return {figure: float(sum(getattr(cost, figure) for cost in found)) for figure in figures}


def true_costs(ops: Sequence[Op], variables: Sequence[Variable], point: Point) -> list[float]:
    """What a point costs when every operator is rewritten for it."""
    made = tuple(ops)
    for name, method in METHODS.items():
        chosen = {v.site: v.values[k] for v, k in zip(variables, point, strict=True) if v.method == name and k}
        made = tuple(new for op in made for new in (method.rewrite(op, chosen) if chosen else (op,)))
    found = costs(made, ("latency_s", "macs"))
    return [found["latency_s"], sum(map(stored_bytes, made)), found["macs"]]


def spec(*shape: int) -> TensorSpec:
    return TensorSpec(shape)


def along(tensor: int, axis: int, *parts: Axis) -> tuple[Dim, ...]:
    """An axis of one or more segments."""
    return tuple(Dim(tensor, axis, site, 1, units, also) for site, units, also in parts)


def size(*parts: Axis) -> int:
    total = 0
    for _, units, also in parts:
        for _, more in also:
            units *= more
        total += units
    return total


def linear(name: str, into: Sequence[Axis], out: Sequence[Axis], block: str = "", tokens: int = 50) -> Op:
    """A linear layer between axes that follow sites."""
    rows, columns = size(*out), size(*into)
    dims = along(0, 2, *into) + along(1, 2, *out) + along(2, 0, *out) + along(2, 1, *into)
    return Op(
        name,
        "linear",
        (spec(1, tokens, columns),),
        (spec(1, tokens, rows),),
        (spec(rows, columns),),
        tokens * rows * columns,
        (f"{name}.in",),
        (name,),
        f"weight:{name}",
        dims,
        blocks=(block,) if block else (),
    )


def encoder(layers: int, width: int = 96, heads: int = 4) -> tuple[list[Op], tuple[Variable, ...]]:
    """Linear layers of an encoder: hidden channels through all of it, heads times channels a head, and two blocks."""
    hidden: Axis = ("channels:stem", width, ())
    ops: list[Op] = []
    variables = [widths(hidden[0], width)]
    for i in range(layers):
        inner: Axis = (f"heads:l{i}", heads, ((f"channels:l{i}.q", width // heads),))
        middle: Axis = (f"channels:l{i}.up", 4 * width, ())
        variables += [widths(inner[0], heads), widths(inner[2][0][0], width // heads), widths(middle[0], 4 * width)]
        ops += [linear(f"l{i}.{name}", [hidden], [inner], f"block:l{i}.attention") for name in "qkv"]
        ops.append(linear(f"l{i}.out", [inner], [hidden], f"block:l{i}.attention"))
        ops.append(linear(f"l{i}.up", [hidden], [middle], f"block:l{i}.mlp"))
        ops.append(linear(f"l{i}.down", [middle], [hidden], f"block:l{i}.mlp"))
        variables += [
            Variable("block-removal", f"block:l{i}.{name}", ("kept", "gone")) for name in ("attention", "mlp")
        ]
    return ops, (*variables, *(form for op in ops for form in forms(op)))


def widths(site: str, units: int) -> Variable:
    return Variable("channel-pruning", site, ChannelPruning().shares(site, units))


def forms(op: Op, ranks: Sequence[float] = (1.0, 0.25)) -> list[Variable]:
    """What may become of an operator's weights."""
    found = [Variable("quantization", op.site, ("fp32", "int8")), Variable("weight-sharing", op.site, (0, 6, 4))]
    return [Variable("low-rank", op.site, tuple(ranks)), *found] if len(ranks) > 1 else found


def dense(count: int, ranks: Sequence[float] = (1.0,)) -> tuple[list[Op], tuple[Variable, ...]]:
    """One layer that reads the concatenated outputs of `count` others, of 32 channels each."""
    parts: list[Axis] = [(f"channels:a{i}", 32, ()) for i in range(count)]
    op = linear("wide", parts, [("channels:wide", 64, ())])
    known = [Variable("channel-pruning", site, SHARES) for site, _, _ in (*parts, ("channels:wide", 64, ()))]
    return [op], (*known, *forms(op, ranks))
