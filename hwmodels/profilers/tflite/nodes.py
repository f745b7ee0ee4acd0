"""The nodes of a tflite program: its operators, each as a program of its own.

XNNPACK runs operators one by one as they are written, with two exceptions: it takes a PAD into the convolution behind
it, and looks a function of one number between DEQUANTIZE and QUANTIZE up in a table of codes. Those are one node each.
Fusions with biases and activations are in the program already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.profilers.tflite.cold import copies_for, repeated, size_class
from hwmodels.profilers.tflite.model import Model, Operator, Scale, Tensor
from hwmodels.profilers.tflite.pack import pack

SMALL = 16
"""Constant whole numbers up to this many elements are part of a signature: target shapes, axes, pads."""

UNARY = frozenset(("GELU", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "LEAKY_RELU", "EXP", "LOG", "SQRT", "ABS", "NEG"))
"""Functions of one number."""

BEFORE: Mapping[str, tuple[frozenset[str], ...]] = {
    "CONV_2D": (frozenset({"PAD"}),),
    "DEPTHWISE_CONV_2D": (frozenset({"PAD"}),),
    "QUANTIZE": (UNARY, frozenset({"DEQUANTIZE"})),
}
"""Operator -> what it takes in where it stands right before it, nearest first."""


@dataclass(frozen=True)
class TfliteNode(RuntimeNode):
    """A node whose `model` holds it `copies` times."""

    copies: int = 1


def runtime_nodes(model: Model, settings: str, known: Collection[str] = ()) -> Iterator[TfliteNode]:
    """In order; those with a key in `known`, or had before, come without their model."""
    seen, beside = set(known), size_class(model)
    for group in groups(model):
        copies = copies_for(group, beside)
        text = signature(group, settings if copies == 1 else f"{settings} beside=2^{beside / 2:g}")
        found = TfliteNode(group[-1].outputs[0].name, _type(group[-1]), text, copies=copies)
        if found.key not in seen:
            seen.add(found.key)
            found = replace(found, model=pack(alone(group) if copies == 1 else repeated(group[0], copies)))
        yield found


def groups(model: Model) -> list[tuple[Operator, ...]]:
    """The operators that are run as one, in the order of the last of each."""
    readers = Counter(id(tensor) for o in model.operators for tensor in dict.fromkeys(o.inputs))
    readers.update(id(tensor) for tensor in model.outputs)
    makers = {id(tensor): operator for operator in model.operators for tensor in operator.outputs}
    taken: set[int] = set()
    found: list[tuple[Operator, ...]] = []
    for operator in reversed(model.operators):
        if id(operator) not in taken:
            group = _with_makers(operator, makers, readers)
            taken.update(map(id, group))
            found.append(group)
    return found[::-1]


def _with_makers(last: Operator, makers: Mapping[int, Operator], readers: Mapping[int, int]) -> tuple[Operator, ...]:
    """An operator and those before it that it takes in: all whose results nothing else reads."""
    group = [last]
    for codes in BEFORE.get(last.code, ()):
        given = group[0].inputs[0]
        maker = makers.get(id(given))
        if maker is None or maker.code not in codes or readers[id(given)] != 1:
            return (last,)
        group.insert(0, maker)
    return tuple(group)


def alone(group: Sequence[Operator]) -> Model:
    """Operators as a program, whose inputs and outputs are those that they have in the network."""
    made = {id(tensor) for operator in group for tensor in operator.outputs}
    read = [t for operator in group for t in operator.inputs if t is not None and t.data is None]
    inputs = {id(tensor): tensor for tensor in read if id(tensor) not in made}
    return Model(tuple(group), tuple(inputs.values()), group[-1].outputs)


def signature(group: Sequence[Operator], settings: str) -> str:
    """Operators, options, shapes, types, scales; of constants their shapes, and small whole numbers in full."""
    places: dict[int, int] = {}
    parts = []
    for operator in group:
        inputs = ", ".join(_text(tensor, places) for tensor in operator.inputs)
        outputs = ", ".join(_text(tensor, places) for tensor in operator.outputs)
        options = ", ".join(f"{name}={operator.options[name]}" for name in sorted(operator.options))
        parts.append(f"{operator.code}({inputs}) -> {outputs} {{{options}}}")
    return f"{' ; '.join(parts)} {settings}"


def _type(operator: Operator) -> str:
    """The operator, with the type of its result where that isn't floats."""
    dtype = operator.outputs[0].dtype
    return operator.code if dtype == "float32" else f"{operator.code} {dtype}"


def _text(tensor: Tensor | None, places: dict[int, int]) -> str:
    """A tensor without its name; an activation that was there before by its place."""
    if tensor is None:
        return "none"
    kind = f"{tensor.dtype}{list(tensor.shape)}{_scale(tensor.scale)}"
    if tensor.data is None:
        return f"#{places.setdefault(id(tensor), len(places))}:{kind}"
    small = np.issubdtype(tensor.data.dtype, np.integer) and tensor.data.size <= SMALL and tensor.scale is None
    return f"const {kind}" + (f"={tensor.data.tolist()}" if small else "")


def _scale(scale: Scale | None) -> str:
    if scale is None:
        return ""
    return f" per channel {scale.axis}" if scale.per_channel else " per tensor"
