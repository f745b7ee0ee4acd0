"""Where quantisers of activations go, the ranges that they must cover, and putting them there.

A layer's input is quantised, and its output behind the activation that follows it; data movement in between keeps the
codes, so behind it the same quantiser stands again, as integer runtimes expect it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, fx

from methods.graph.ir import Graph, WeightUse
from methods.graph.norms import scale_and_shift
from methods.graph.observe import observe
from methods.graph.ops import NAMES, kind_of
from methods.graph.surgery.forms import scale_weight, set_bias
from methods.graph.surgery.rounding import quantise_value
from methods.graph.values import value_of
from methods.numerics.observers import Aim, observer_of

Settings = tuple[float, int, int, int]
"""Scale, zero point, lowest and highest code."""

KERNEL_BITS = 8
"""Narrowest activations that integer kernels write; narrower ones are rounded where they are read."""
FUSED = ("relu", "relu6")
KEEPS_CODES = {"max_pool1d", "max_pool2d", "view", "reshape", "flatten", "permute", "transpose", "t", "unsqueeze"}
KEEPS_CODES |= {"squeeze", "unflatten", "slice", "select", "dropout", "clone", "contiguous", "alias", "detach"}
"""Operators that move or pick values and make no new ones in evaluation mode."""


def points(layers: Mapping[fx.Node, int]) -> dict[str, int]:
    """Value name -> bits, for the values to quantise so that every layer reads codes of its bits.

    From 8 bits on it writes codes too, as integer kernels do. Class scores stay exact: the output of a linear layer
    that nothing but the network's output reads is left out. A value that layers of several widths read gets the widest.
    """
    found: dict[fx.Node, int] = {}
    for node, bits in layers.items():
        end = _end(node)
        only_output = all(u.op == "output" for u in end.users)
        if bits >= KERNEL_BITS and not _quantiser_of(end) and not (only_output and kind_of(node.target) == "linear"):
            found[end] = bits
    read: dict[fx.Node, int] = {}
    for node, bits in layers.items():
        source = _operand(node)
        start = _start(source)
        if kind_of(start.target) != "quantize":
            place = start if start in found or start in read else source
            read[place] = max(bits, read.get(place, 0))
    return {node.name: bits for node, bits in (found | read).items()}


def ranges(
    graph: Graph, aims: Mapping[str, Aim], inputs: tuple[Tensor, ...], observer: str
) -> dict[str, tuple[float, float]]:
    """Value name -> the range that its codes should cover. Raises ValueError, naming the value."""
    watching = {name: observer_of(observer, aim) for name, aim in aims.items()}
    for seen in observe(graph, inputs, list(aims)):
        for name, value in seen.items():
            with _named(name):
                watching[name].see(value.detach().numpy())
    found = {}
    for name, each in watching.items():
        with _named(name):
            found[name] = each.bounds()
    return found


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Errors that say which value they are about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"the activations of {name} can't be quantised: {error}") from error


def quantise_points(graph: Graph, layers: Collection[fx.Node], settings: Mapping[str, Settings]) -> None:
    """Puts a quantiser behind every named value and, with the same settings, in front of each layer further down."""
    for name, values in settings.items():
        quantise_value(graph, graph.node(name), *values)
    for node in layers:
        source = _operand(node)
        start = _start(source)
        if start is source or kind_of(start.target) != "quantize":
            continue
        known = [u for u in source.users if kind_of(u.target) == "quantize" and u.args[1:] == start.args[1:]]
        made = known[0] if known else _repeated(graph, node, source, start)
        node.update_arg(0, made)


def _repeated(graph: Graph, reader: fx.Node, source: fx.Node, start: fx.Node) -> fx.Node:
    """The quantiser `start` once more, of the moved value `source`."""
    with graph.module.graph.inserting_before(reader):
        return graph.module.graph.call_function(start.target, (source, *start.args[1:]), start.kwargs)  # type: ignore[arg-type]


def fold_norm(graph: Graph, use: WeightUse) -> None:
    """Folds the batch normalisation that alone reads a layer, if there is one, into that layer's weight and bias."""
    readers = list(use.node.users)
    if len(readers) != 1 or kind_of(readers[0].target) != "batch_norm" or kind_of(use.node.target) == "conv_transpose":
        return
    norm = readers[0]
    factors, shift = scale_and_shift(graph, norm)
    weight = value_of(graph, use.node.args[1])
    factors = factors.view(-1, *[1] * (weight.dim() - 1))
    if use.node.args[1] is use.source and len(use.source.users) == 1:
        graph.set_tensor(use.weight, weight * factors, trainable=True)
    else:
        scale_weight(graph, use, factors)
    bias = use.node.args[2] if len(use.node.args) > 2 else None
    set_bias(graph, use, shift if bias is None else value_of(graph, bias) * factors.reshape(-1) + shift)
    norm.replace_all_uses_with(use.node)
    graph.module.graph.erase_node(norm)


def _operand(layer: fx.Node) -> fx.Node:
    source = layer.args[0]
    assert isinstance(source, fx.Node)
    return source


def _end(layer: fx.Node) -> fx.Node:
    """The value that the layer's kernel writes: behind the activation, where that alone reads the layer."""
    readers = list(layer.users)
    return readers[0] if len(readers) == 1 and _name(readers[0]) in FUSED else layer


def _start(value: fx.Node) -> fx.Node:
    """Where a value was made, before it was moved about."""
    while _name(value) in KEEPS_CODES and isinstance(value.args[0], fx.Node):
        value = value.args[0]
    return value


def _quantiser_of(value: fx.Node) -> bool:
    return any(kind_of(u.target) == "quantize" for u in value.users)


def _name(node: fx.Node) -> str:
    if node.op != "call_function":
        return ""
    return NAMES.get(node.target, "").removeprefix("aten.").split(".")[0]  # type: ignore[arg-type]
