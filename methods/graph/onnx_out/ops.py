"""The table of ONNX translations: ATen operator -> the function that writes it."""

from __future__ import annotations

from torch import fx

from methods.graph.onnx_out import (
    activations,
    adaptive,
    attention,
    binary,
    create,
    layers,
    lookup,
    maths,
    mixed,
    move,
    norms,
    order,
    pad,
    pool,
    quantised,
    rearrange,
    recurrent,
    reduce,
    resample,
    scatter,
    snapped,
)
from methods.graph.onnx_out.emitter import Translator

MODULES = (
    *(layers, quantised, snapped, norms, attention, recurrent, pool, adaptive, resample),
    *(pad, activations, maths, binary, mixed, reduce, order, lookup),
    *(scatter, move, rearrange, create),
)

TRANSLATORS: dict[str, Translator] = {name: translate for module in MODULES for name, translate in module.TABLE.items()}
"""ATen operator, with its overload where that matters, -> the function that writes it."""

ALTERNATIVES: dict[str, str] = {
    "linspace": "give it a number of steps that does not depend on the batch",
}
"""Operators that are written only where their value is known beforehand -> what to do elsewhere."""


def translator_of(node: fx.Node) -> Translator | None:
    """The function that writes a node; None where there is none."""
    name = name_of(node)
    return TRANSLATORS.get(name) or TRANSLATORS.get(name.split(".")[0])


def name_of(node: fx.Node) -> str:
    """`conv2d.default` for aten.conv2d.default, `operator.add` for arithmetic on sizes."""
    if hasattr(node.target, "_schema"):
        return str(node.target).removeprefix("aten.")
    return f"operator.{getattr(node.target, '__name__', node.target)}"
