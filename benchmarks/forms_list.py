"""The forms that `forms.py` compares: what each chooses at every layer that can take it, as recipes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwmodels.devices.local import LOCAL_ONNXRUNTIME
from methods.base import Data, MethodError, Value
from methods.catalogue import METHODS
from methods.graph.ir import Graph
from methods.recovery.catalogue import recovery, settable
from methods.weight_method import Layer, layer_of
from search.problem import Recipe, Step
from search.recipes import expanded

Chosen = Value | Callable[[Layer], Value | None]
"""One value for all sites, or what to choose for a layer; None leaves it as it is."""


@dataclass(frozen=True)
class Form:
    """A row of the table: methods with what they choose, or the published system of that name.

    Attributes:
        every: 2 leaves every other site as it is.
    """

    name: str
    steps: tuple[tuple[str, Chosen], ...] = ()
    system: str = ""
    every: int = 1


def _in_groups(layer: Layer) -> Value:
    """Four bits with a scale for each 32 weights, where 32 divides the weights of an output."""
    return "w4g32" if layer.inputs % 32 == 0 else "w4"


def _thin(layer: Layer) -> Value | None:
    """A quarter of the full rank, where that is more than the classes need."""
    return 0.25 if layer.shape[0] > 10 or layer.kind == "conv" else None


FORMS = (
    Form("untouched"),
    Form("channels 50 %", (("channel-pruning", 0.5),)),
    Form("blocks, every other", (("block-removal", "remove"),), every=2),
    Form("low-rank 25 %", (("low-rank", _thin),)),
    Form("tucker-2 50 %", (("tucker-2", 0.5),)),
    Form("separable 25 %", (("separable", 0.25),)),
    Form("depthwise-separable", (("depthwise-separable", "replace"),)),
    Form("circulant 4", (("circulant", 4),)),
    Form("hashing 1/8", (("hashing", 0.125),)),
    Form("sparsity 10 %", (("sparsity", 0.1),)),
    Form("sparsity 2:4", (("sparsity", "2:4"),)),
    Form("weight-sharing 5 bits", (("weight-sharing", 5),)),
    Form("ternary twn", (("ternary", "twn"),)),
    Form("ternary ttq", (("ternary", "ttq"),)),
    Form("binary xnor", (("binary", "xnor"),)),
    Form("power-of-two 4 bits", (("power-of-two", 4),)),
    Form("dorefa w2a4", (("dorefa", "w2a4"),)),
    Form("int8", (("quantization", "int8"),)),
    Form("w4", (("quantization", "w4"),)),
    Form("w4g32", (("quantization", _in_groups),)),
    Form("channels 50 %, int8", (("channel-pruning", 0.5), ("quantization", "int8"))),
    Form("han-magnitude", system="han-magnitude"),
    Form("lasso-channel-pruning", system="lasso-channel-pruning"),
    Form("tucker-2 vbmf", system="tucker-2"),
    Form("ptq", system="ptq"),
    Form("qat", system="qat"),
    Form("quantized-distillation", system="quantized-distillation"),
    Form("deep-compression", system="deep-compression"),
)


def recipe(form: Form, graph: Graph, data: Data, epochs: int) -> Recipe:
    """The recipe of a form for one network, whatever trains in it for so many epochs. Raises MethodError."""
    if form.system:
        made = expanded({"steps": [{"method": form.system}]}, graph, LOCAL_ONNXRUNTIME)
    else:
        sites = [(name, choices(name, value, graph, data)) for name, value in form.steps]
        steps = [Step(name, dict(list(chosen.items())[form.every - 1 :: form.every])) for name, chosen in sites]
        made = Recipe(tuple(step for step in steps if step.choices))
    return Recipe(made.steps, timed(made.training, epochs))


def choices(method: str, chosen: Chosen, graph: Graph, data: Data) -> dict[str, Value]:
    """Site -> value, for all sites of a method that can take what is chosen there."""
    layers = {use.site: layer_of(graph, use) for use in graph.weight_uses()}
    sites = METHODS[method].space(graph, LOCAL_ONNXRUNTIME).sites
    wanted = {site: chosen(layers[site]) if callable(chosen) else chosen for site in sites}
    few = data.head(8)
    there = {site: value for site, value in wanted.items() if value is not None}
    return {site: v for site, v in there.items() if v in sites[site] or _can(method, graph, site, v, few)}


def timed(training: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """The training of a recipe over so many epochs, where its recovery has any."""
    name = training.get("recovery", "fine-tuning")
    settings = {"epochs": epochs} if "epochs" in settable(recovery(name)) else {}
    return {**training, "settings": {**training.get("settings", {}), **settings}}


def _can(method: str, graph: Graph, site: str, value: Value, data: Data) -> bool:
    """Whether a site can take a value that isn't among those a search is offered."""
    try:
        METHODS[method].apply(graph, {site: value}, data)
    except MethodError:
        return False
    return True
