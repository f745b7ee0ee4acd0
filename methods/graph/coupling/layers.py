"""What layers with weights do to ids: they read the units of one axis and make others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, fx

from methods.graph.coupling.ids import Ids, lay, match, parts_of, separate, unify
from methods.graph.coupling.known import Known
from methods.graph.nodes import argument, has_argument, name_of

Rule = Callable[[Known, fx.Node], Any]

SCALED = "it is scaled by what can't be cut"
COMPUTED = "the weight that reads it is computed, shared or quantised"


def unlike(node: fx.Node) -> str:
    """Why something stays that is joined with what stays."""
    return f"{node.name} joins it with values that can't be cut"


def linear(t: Known, node: fx.Node) -> Ids:
    """`x [..., in]` times `weight [out, in]`."""
    x, weight = t.clear(node.args[0]), argument(node, "weight")
    match(t.units, x.on(-1), t.clear(weight).on(1) if len(t.ids(weight).shape) > 1 else [], COMPUTED)
    t.play(weight, 0, "out")
    t.play(weight, 1, "in")
    made = [lay(c, -1, len(x.shape)) for c in t.clear(weight).on(0)]
    result = Ids(t.shape(node), parts_of([*made, *x.without(-1)]))
    return _biased(t, node, result, -1)


def _biased(t: Known, node: fx.Node, result: Ids, axis: int) -> Ids:
    bias = argument(node, "bias")
    if bias is not None:
        match(t.units, separate(t.units, result).on(axis), t.clear(bias).on(0), "its bias is computed")
    return separate(t.units, result)


def conv(t: Known, node: fx.Node) -> Ids:
    """`x [batch, in, ...]`, `weight [out, in / groups, ...]`; groups are rows of both sides' channels."""
    weight, groups = argument(node, "weight"), int(argument(node, "groups"))
    x = _spatial(t, node)
    t.play(weight, 0, "out")
    if groups == 1:
        t.play(weight, 1, "in")
        match(t.units, x.on(1), t.clear(weight).on(1), COMPUTED)
        made = t.clear(weight).on(0)
    else:
        made = _grouped(t, node, x, groups, (1, 0))
    return _biased(t, node, Ids.along(t.shape(node), 1, made), 1)


def conv_transpose(t: Known, node: fx.Node) -> Ids:
    """`x [batch, in, ...]`, `weight [in, out / groups, ...]`."""
    weight, groups = argument(node, "weight"), int(argument(node, "groups"))
    x = _spatial(t, node)
    t.play(weight, 0, "in")
    t.play(weight, 1, "out")
    if groups == 1:
        match(t.units, x.on(1), t.clear(weight).on(0), COMPUTED)
        made = t.clear(weight).on(1)
    else:
        made = _grouped_transpose(t, node, x, groups)
    return _biased(t, node, Ids.along(t.shape(node), 1, made), 1)


def _spatial(t: Known, node: fx.Node) -> Ids:
    """The input of an operator over space: channels on axis 1; units along space stay."""
    x = t.clear(node.args[0])
    for axis in range(2, len(x.shape)):
        t.units.freeze_all(x.on(axis), f"{node.name} works across it")
    return Ids(x.shape, tuple(p for p in x.parts if p.shape[1] > 1))


def rows(t: Known, columns: Sequence[Tensor], count: int, groups: int) -> Ids:
    """The units of `count` channels as `[groups, count / groups]`."""
    size = (groups, count // groups)
    return separate(t.units, Ids(size, parts_of([c.reshape(size) for c in columns])))


def _grouped(t: Known, node: fx.Node, x: Ids, groups: int, dims: tuple[int, int]) -> list[Tensor]:
    weight = argument(node, "weight")
    read, held = dims
    into, own = x.shape[1], t.ids(weight).shape[held]
    t.play(weight, read, "in")
    match(t.units, rows(t, x.on(1), into, groups).on(0), rows(t, t.clear(weight).on(held), own, groups).on(0), COMPUTED)
    match(t.units, rows(t, x.on(1), into, groups).on(1), t.clear(weight).on(read), COMPUTED)
    if into > groups or own > groups:
        t.named += [("groups", c) for c in rows(t, x.on(1), into, groups).on(0)]
    else:
        t.reads += x.on(1)
    return t.clear(weight).on(held)


def _grouped_transpose(t: Known, node: fx.Node, x: Ids, groups: int) -> list[Tensor]:
    weight = argument(node, "weight")
    match(t.units, x.on(1), t.clear(weight).on(0), COMPUTED)
    into = rows(t, x.on(1), x.shape[1], groups).on(0)
    t.named += [("groups", c) for c in into] if x.shape[1] > groups else []
    each = t.ids(weight).shape[1]
    made = [c.repeat_interleave(each) for c in into] + [c.repeat(groups) for c in t.clear(weight).on(1)]
    return [p.reshape(-1) for p in parts_of([c.reshape(-1) for c in made])]


def batch_norm(t: Known, node: fx.Node) -> Ids:
    """One mean, variance, scale and shift per entry of axis 1."""
    x = t.clear(node.args[0])
    if name_of(node) == "instance_norm":
        for axis in range(2, len(x.shape)):
            t.units.freeze_all(x.on(axis), f"{node.name} works across it")
    for name in ("weight", "bias", "running_mean", "running_var"):
        if argument(node, name) is not None:
            match(t.units, x.on(1), t.clear(argument(node, name)).on(0), SCALED)
    return separate(t.units, x)


def last_axes_norm(t: Known, node: fx.Node) -> Ids:
    """layer_norm and rms_norm: over the last axes, those of `normalized_shape`; fewer channels, fewer in the mean."""
    x = t.clear(node.args[0])
    for name in ("weight", "bias"):
        if has_argument(node, name) and argument(node, name) is not None:
            x = unify(t.units, [x, t.clear(argument(node, name))], x.shape, SCALED)
    for axis in range(len(argument(node, "normalized_shape"))):
        t.reads += x.on(-1 - axis)
    return x


def group_norm(t: Known, node: fx.Node) -> Ids:
    """Groups of channels are rows: whole groups go, or as many channels of each."""
    x, groups = _spatial(t, node), int(argument(node, "num_groups"))
    for name in ("weight", "bias"):
        if argument(node, name) is not None:
            match(t.units, x.on(1), t.clear(argument(node, name)).on(0), SCALED)
    split = rows(t, separate(t.units, x).on(1), x.shape[1], groups)
    t.named += [("groups", c) for c in split.on(0)] if 1 < groups < x.shape[1] else []
    t.reads += split.on(1)
    return separate(t.units, x)


def embedding(t: Known, node: fx.Node) -> Ids:
    """Rows of `weight [count, width]`."""
    weight = argument(node, "weight")
    table = t.clear(weight)
    t.units.freeze_all(table.on(0), "its entries are looked up by number")
    t.play(weight, 1, "out")
    return Ids.along(t.shape(node), -1, table.on(1))


def recurrent(t: Known, node: fx.Node) -> list[Ids]:
    """LSTM and GRU: one set of hidden units for all gates, layers and directions, which share one state tensor."""
    gates = {"lstm": 4, "gru": 3}.get(name_of(node), 1)
    weights, layers = list(argument(node, "params")), int(argument(node, "num_layers"))
    both = 2 if argument(node, "bidirectional") else 1
    each = 4 if argument(node, "has_biases") else 2
    if len(weights) != each * layers * both:
        return t.barrier(node, f"{node.name} has projections")  # type: ignore[no-any-return]
    hidden = t.units.new(t.ids(weights[1]).shape[1])
    _hold(t, node, argument(node, "hx"), hidden)
    x = t.clear(node.args[0])
    t.units.freeze_all([p for a in range(len(x.shape) - 1) for p in x.on(a)], f"{node.name} works across it")
    for number in range(0, len(weights), each):
        reads = x.on(-1) if number < each * both else [hidden.repeat(both)]
        _cell(t, weights[number : number + each], hidden.repeat(gates), hidden, reads)
    t.named.append(("hidden", hidden))
    shapes = t.shapes[node.name]
    return [Ids.along(shapes[0], -1, [hidden.repeat(both)]), *(Ids.along(s, -1, [hidden]) for s in shapes[1:])]


def _hold(t: Known, node: fx.Node, states: Any, hidden: Tensor) -> None:
    for state in states if isinstance(states, list | tuple) else [states]:
        match(t.units, t.clear(state).on(-1), [hidden], f"{node.name} begins with a state that can't be cut")


def _cell(t: Known, weights: Sequence[Any], made: Tensor, hidden: Tensor, reads: Sequence[Tensor]) -> None:
    for place, weight in enumerate(weights):
        match(t.units, t.clear(weight).on(0), [made], COMPUTED)
        t.play(weight, 0, "out" if place < 2 else "along")
    for weight, read in zip(weights[:2], (list(reads), [hidden]), strict=True):
        match(t.units, t.clear(weight).on(1), read, COMPUTED)
        t.play(weight, 1, "in")


def quantize(t: Known, node: fx.Node) -> Ids:
    """Rounding: per tensor it changes nothing; per channel its scales stand for fixed channels."""
    if "per_channel" in name_of(node):
        return t.barrier(node, COMPUTED)  # type: ignore[no-any-return]
    return t.ids(node.args[0])


def snap(t: Known, node: fx.Node) -> Ids:
    """Rounding to levels: a row of them for each channel stands for fixed channels."""
    if len(t.shape(argument(node, "levels"))) == 2:
        return t.barrier(node, COMPUTED)  # type: ignore[no-any-return]
    return t.ids(node.args[0])


RULES: dict[str, Rule] = {
    "linear": linear,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "batch_norm": batch_norm,
    "instance_norm": batch_norm,
    "layer_norm": last_axes_norm,
    "rms_norm": last_axes_norm,
    "group_norm": group_norm,
    "embedding": embedding,
    "recurrent": recurrent,
    "quantize": quantize,
    "snap": snap,
}
"""Kind or name of an operator -> its rule."""
